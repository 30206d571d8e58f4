// vcsim for vpower's tests: govmomi's simulator as Debian packages it (golang-github-vmware-
// govmomi-dev 0.24.2, which has the library but no program), with one cluster of three hosts.
//
// It listens on 127.0.0.1 with the given certificate and one user, prints {"port":N} and ends
// when its standard input ends, so that a test that dies leaves nothing behind. On that input,
// "status N" answers the next call with that HTTP status, "add NAME" clones a guest, "places"
// puts guest 4 into a folder and a pool, with an attribute and a tag, and guest 5 into a vApp, "off
// UUID" cuts a guest's power, and "dump" prints what guests there are; each is answered with "ok".
// The password comes from VCSIM_PASSWORD: never an argument. With -names the guests are called as
// that JSON list says, and all are ordinary; with -esx it is a host by itself.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
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
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/esx"
	"github.com/vmware/govmomi/simulator/vpx"
	"github.com/vmware/govmomi/vapi/rest"
	_ "github.com/vmware/govmomi/vapi/simulator"
	"github.com/vmware/govmomi/vapi/tags"
	"github.com/vmware/govmomi/vim25/types"
)

func main() {
	certificate := flag.String("certificate", "", "PEM file")
	key := flag.String("key", "", "PEM file")
	user := flag.String("user", "", "the only user")
	guests := flag.Int("guests", 6, "guests in the cluster, the special ones included")
	delay := flag.Int("delay", 0, "milliseconds by which every call is answered later")
	crowd := flag.Bool("crowd", false, "tell of changes as fast as vCenter does; see collector.go")
	idle := flag.Duration("idle", 0, "forget a session that was idle this long")
	names := flag.String("names", "", "a file with the guests' names, as a JSON list")
	stay := flag.Bool("stay", false, "end with the process that started it, and read no input")
	isHost := flag.Bool("esx", false, "be a host instead of a vCenter")
	flag.Parse()

	pair, err := tls.LoadX509KeyPair(*certificate, *key)
	if err != nil {
		log.Fatal(err)
	}
	simulator.SessionIdleTimeout = *idle
	model := simulator.VPX()
	model.ServiceContent = vpx.ServiceContent
	if *isHost {
		model = simulator.ESX()
		model.ServiceContent = esx.ServiceContent
	}
	model.Machine = *guests
	model.DelayConfig.Delay = *delay
	if err := model.Create(); err != nil {
		log.Fatal(err)
	}
	defer model.Remove()
	automate()
	if *names != "" {
		if err := rename(*names); err != nil {
			log.Fatal(err)
		}
	} else {
		dress()
	}
	if *crowd {
		useCollector()
	}
	model.Service.RegisterEndpoints = true
	model.Service.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	model.Service.Listen = &url.URL{
		Host: "127.0.0.1:0", User: url.UserPassword(*user, os.Getenv("VCSIM_PASSWORD")),
	}
	server := model.Service.NewServer()
	defer server.Close()
	if *stay {
		outlive(os.Getppid())
	}
	fmt.Printf("{\"port\":%s}\n", server.URL.Port())
	if *stay {
		select {}
	}
	obey(server)
}

// automate gives clusters what a real vCenter always says of HA and DRS.
func automate() {
	for _, entity := range simulator.Map.All("ClusterComputeResource") {
		cluster := entity.(*simulator.ClusterComputeResource)
		configuration := cluster.ConfigurationEx.(*types.ClusterConfigInfoEx)
		configuration.DasConfig.Enabled = types.NewBool(true)
		configuration.DrsConfig.DefaultVmBehavior = types.DrsBehaviorFullyAutomated
	}
}

// dress makes the model's guests look as a real vCenter shows them.
func dress() {
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

// number is what the simulator has put behind "VM" in a guest's name.
func number(vm *simulator.VirtualMachine) (int, error) {
	return strconv.Atoi(vm.Name[strings.LastIndex(vm.Name, "VM")+2:])
}

// inCluster says whether a guest is the cluster's, or the only host's.
func inCluster(vm *simulator.VirtualMachine) bool {
	return strings.HasPrefix(vm.Name, "DC0_C0_") || strings.HasPrefix(vm.Name, "ha-host_")
}

// rename gives the guests these names, with Tools that run.
func rename(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var names []string
	if err := json.Unmarshal(text, &names); err != nil {
		return err
	}
	for _, entity := range simulator.Map.All("VirtualMachine") {
		vm := entity.(*simulator.VirtualMachine)
		vm.Guest.ToolsRunningStatus = string(types.VirtualMachineToolsRunningStatusGuestToolsRunning)
		if !inCluster(vm) {
			continue
		}
		place, err := number(vm)
		if err != nil {
			return err
		}
		if place < len(names) {
			vm.Name, vm.Config.Name, vm.Summary.Config.Name = names[place], names[place], names[place]
		}
	}
	return nil
}

// dump prints every guest as it is.
func dump() error {
	type guest struct {
		Name, Reference, UUID, Path, Host, Power string
	}
	guests := []guest{}
	for _, entity := range simulator.Map.All("VirtualMachine") {
		vm := entity.(*simulator.VirtualMachine)
		host := simulator.Map.Get(*vm.Runtime.Host).(*simulator.HostSystem)
		guests = append(guests, guest{
			vm.Name, vm.Self.Value, vm.Config.InstanceUuid, vm.Summary.Config.VmPathName, host.Name,
			string(vm.Runtime.PowerState),
		})
	}
	text, err := json.Marshal(guests)
	if err == nil {
		fmt.Println(string(text))
	}
	return err
}

// off cuts a guest's power through the API, so that collectors hear of it.
func off(server *simulator.Server, uuid string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, err := govmomi.NewClient(ctx, server.URL, true)
	if err != nil {
		return err
	}
	for _, entity := range simulator.Map.All("VirtualMachine") {
		vm := entity.(*simulator.VirtualMachine)
		if vm.Config.InstanceUuid != uuid {
			continue
		}
		task, err := object.NewVirtualMachine(client.Client, vm.Self).PowerOff(ctx)
		if err != nil {
			return err
		}
		return task.Wait(ctx)
	}
	return fmt.Errorf("no guest %s", uuid)
}

// outlive ends this program when the one that started it has ended.
func outlive(parent int) {
	go func() {
		for os.Getppid() == parent {
			time.Sleep(200 * time.Millisecond)
		}
		os.Exit(0)
	}()
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
		case len(words) == 2 && words[0] == "off":
			if err := off(server, words[1]); err != nil {
				log.Fatal(err)
			}
		case len(words) == 1 && words[0] == "dump":
			if err := dump(); err != nil {
				log.Fatal(err)
			}
		case len(words) == 1 && words[0] == "places":
			if err := places(server); err != nil {
				log.Fatal(err)
			}
		default:
			log.Fatalf("unknown command: %q", lines.Text())
		}
		fmt.Println("ok")
	}
}

// connect logs in, and finds in the only datacenter.
func connect(ctx context.Context, server *simulator.Server) (
	*govmomi.Client, *find.Finder, *object.Datacenter, error,
) {
	client, err := govmomi.NewClient(ctx, server.URL, true)
	if err != nil {
		return nil, nil, nil, err
	}
	finder := find.NewFinder(client.Client)
	datacenter, err := finder.DefaultDatacenter(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	finder.SetDatacenter(datacenter)
	return client, finder, datacenter, nil
}

// add clones a guest of the cluster through the API, so that collectors hear of it.
func add(server *simulator.Server, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, finder, datacenter, err := connect(ctx, server)
	if err != nil {
		return err
	}
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

// places puts guests where tiers could choose them.
func places(server *simulator.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, finder, datacenter, err := connect(ctx, server)
	if err != nil {
		return err
	}
	guest, err := finder.VirtualMachine(ctx, "DC0_C0_RP0_VM4")
	if err != nil {
		return err
	}
	if err := move(ctx, datacenter, guest); err != nil {
		return err
	}
	if err := pools(ctx, finder, guest); err != nil {
		return err
	}
	if err := mark(ctx, client, guest); err != nil {
		return err
	}
	return tag(ctx, client, server.URL.User, guest)
}

// move makes the folder Prod/EU/Web, of which "Prod/EU" is one, and puts the guest into it.
func move(ctx context.Context, datacenter *object.Datacenter, guest *object.VirtualMachine) error {
	folders, err := datacenter.Folders(ctx)
	if err != nil {
		return err
	}
	region, err := folders.VmFolder.CreateFolder(ctx, "Prod%2fEU")
	if err != nil {
		return err
	}
	folder, err := region.CreateFolder(ctx, "Web")
	if err != nil {
		return err
	}
	task, err := folder.MoveInto(ctx, []types.ManagedObjectReference{guest.Reference()})
	if err != nil {
		return err
	}
	return task.Wait(ctx)
}

// pools makes the pool High/Databases for the guest and a vApp in High for the next one. The
// simulator cannot move guests between pools, so their properties are set.
func pools(ctx context.Context, finder *find.Finder, guest *object.VirtualMachine) error {
	root, err := finder.ResourcePool(ctx, "DC0_C0/Resources")
	if err != nil {
		return err
	}
	spec := types.DefaultResourceConfigSpec()
	high, err := root.Create(ctx, "High", spec)
	if err != nil {
		return err
	}
	pool, err := high.Create(ctx, "Databases", spec)
	if err != nil {
		return err
	}
	vapp, err := high.CreateVApp(ctx, "shop", spec, types.VAppConfigSpec{}, nil)
	if err != nil {
		return err
	}
	reference := pool.Reference()
	simulator.Map.Get(guest.Reference()).(*simulator.VirtualMachine).ResourcePool = &reference
	other, err := finder.VirtualMachine(ctx, "DC0_C0_RP0_VM5")
	if err != nil {
		return err
	}
	vm := simulator.Map.Get(other.Reference()).(*simulator.VirtualMachine)
	container := vapp.Reference()
	vm.ResourcePool, vm.ParentVApp, vm.Parent = nil, &container, nil
	return nil
}

// mark gives the guest a custom attribute.
func mark(ctx context.Context, client *govmomi.Client, guest *object.VirtualMachine) error {
	fields, err := object.GetCustomFieldsManager(client.Client)
	if err != nil {
		return err
	}
	field, err := fields.Add(ctx, "power", "VirtualMachine", nil, nil)
	if err != nil {
		return err
	}
	return fields.Set(ctx, guest.Reference(), field.Key, "late & <x>")
}

// tag gives the guest the tag first of the category Tier.
func tag(
	ctx context.Context, client *govmomi.Client, user *url.Userinfo, guest *object.VirtualMachine,
) error {
	session := rest.NewClient(client.Client)
	if err := session.Login(ctx, user); err != nil {
		return err
	}
	manager := tags.NewManager(session)
	category, err := manager.CreateCategory(ctx, &tags.Category{Name: "Tier", Cardinality: "SINGLE"})
	if err != nil {
		return err
	}
	id, err := manager.CreateTag(ctx, &tags.Tag{Name: "first", CategoryID: category})
	if err != nil {
		return err
	}
	if err := manager.AttachTag(ctx, id, guest); err != nil {
		return err
	}
	return session.Logout(ctx)
}
