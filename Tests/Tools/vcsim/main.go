// vcsim for vpower's tests: govmomi's simulator as Debian packages it (golang-github-vmware-
// govmomi-dev 0.24.2, which has the library but no program), with one cluster of three hosts.
//
// It listens on 127.0.0.1 with the given certificate and one user, prints {"port":N} and ends
// when its standard input ends, so that a test that dies leaves nothing behind. On that input,
// "status N" answers the next call with that HTTP status and "add NAME" clones a guest; each is
// answered with "ok". The password comes from VCSIM_PASSWORD: never an argument.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/vpx"
	"github.com/vmware/govmomi/vim25/types"
)

func main() {
	certificate := flag.String("certificate", "", "PEM file")
	key := flag.String("key", "", "PEM file")
	user := flag.String("user", "", "the only user")
	guests := flag.Int("guests", 6, "guests in the cluster, the special ones included")
	idle := flag.Duration("idle", 0, "forget a session that was idle this long")
	flag.Parse()

	pair, err := tls.LoadX509KeyPair(*certificate, *key)
	if err != nil {
		log.Fatal(err)
	}
	simulator.SessionIdleTimeout = *idle
	model := simulator.VPX()
	model.Machine = *guests
	model.ServiceContent = vpx.ServiceContent
	if err := model.Create(); err != nil {
		log.Fatal(err)
	}
	defer model.Remove()
	dress()
	model.Service.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	model.Service.Listen = &url.URL{
		Host: "127.0.0.1:0", User: url.UserPassword(*user, os.Getenv("VCSIM_PASSWORD")),
	}
	server := model.Service.NewServer()
	defer server.Close()
	fmt.Printf("{\"port\":%s}\n", server.URL.Port())
	obey(server)
}

// dress makes the model's objects look as a real vCenter shows them.
func dress() {
	for _, entity := range simulator.Map.All("ClusterComputeResource") {
		cluster := entity.(*simulator.ClusterComputeResource)
		configuration := cluster.ConfigurationEx.(*types.ClusterConfigInfoEx)
		configuration.DasConfig.Enabled = types.NewBool(true)
		configuration.DrsConfig.DefaultVmBehavior = types.DrsBehaviorFullyAutomated
	}
	for _, entity := range simulator.Map.All("VirtualMachine") {
		vm := entity.(*simulator.VirtualMachine)
		vm.Guest.ToolsRunningStatus = string(types.VirtualMachineToolsRunningStatusGuestToolsRunning)
		switch {
		case strings.HasSuffix(vm.Name, "C0_RP0_VM0"):
			vm.Config.ExtraConfig = append(vm.Config.ExtraConfig,
				&types.OptionValue{Key: "HDCS.agent", Value: "true"})
		case strings.HasSuffix(vm.Name, "C0_RP0_VM1"):
			vm.Config.ManagedBy = &types.ManagedByInfo{
				ExtensionKey: "com.vmware.vim.eam", Type: "nsx-agent",
			}
		case strings.HasSuffix(vm.Name, "C0_RP0_VM2"):
			vm.Config.Template = true
			vm.Runtime.PowerState = types.VirtualMachinePowerStatePoweredOff
		case strings.HasSuffix(vm.Name, "C0_RP0_VM3"):
			vm.Guest.ToolsRunningStatus =
				string(types.VirtualMachineToolsRunningStatusGuestToolsNotRunning)
		}
	}
}

// obey reads commands until the test closes the pipe.
func obey(server *simulator.Server) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) == 2 && words[0] == "status":
			status, err := strconv.Atoi(words[1])
			if err != nil {
				log.Fatal(err)
			}
			simulator.StatusSDK = status
		case len(words) == 2 && words[0] == "add":
			if err := add(server, words[1]); err != nil {
				log.Fatal(err)
			}
		default:
			log.Fatalf("unknown command: %q", lines.Text())
		}
		fmt.Println("ok")
	}
}

// add clones a guest of the cluster through the API, so that collectors hear of it.
func add(server *simulator.Server, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, err := govmomi.NewClient(ctx, server.URL, true)
	if err != nil {
		return err
	}
	finder := find.NewFinder(client.Client)
	datacenter, err := finder.DefaultDatacenter(ctx)
	if err != nil {
		return err
	}
	finder.SetDatacenter(datacenter)
	original, err := finder.VirtualMachine(ctx, "DC0_C0_RP0_VM4")
	if err != nil {
		return err
	}
	folders, err := datacenter.Folders(ctx)
	if err != nil {
		return err
	}
	task, err := original.Clone(ctx, folders.VmFolder, name, types.VirtualMachineCloneSpec{PowerOn: true})
	if err != nil {
		return err
	}
	return task.Wait(ctx)
}
