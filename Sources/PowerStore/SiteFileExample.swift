extension SiteFile {
    /// A site file that names every key, with its unit and its default: what
    /// `vpower init --example` prints. It reads without an error.
    public static let example = """
        # vpower's site file: /etc/vpower/site.yaml
        #
        # Check it with `vpower check`. Unknown keys are errors, so a slip of the pen cannot
        # silently switch something off. A line with "# default" may be left out.
        #
        # Durations need units: d, h, m, s (90s, 5m, 1m30s). A name or pattern that begins with *
        # needs quotes. Passwords are never written here, only where they are kept:
        #   file:/etc/vpower/secrets/name   the first line of a file (chmod 600)
        #   credential:name                 a systemd credential (LoadCredential=)
        #   env:NAME                        a variable of the environment

        # For messages. Required.
        site: Head office

        # The UPSes, as upsd (Network UPS Tools) shows them. At least one.
        feeds:
          - name: ups-a                       # vpower's name for it
            server: localhost:3493            # upsd; port 3493 is the default
            ups: ups1                         # its name at that upsd (upsc -l)
            user: vpower                      # user of upsd.users, with a password; default: none,
            password: file:/etc/vpower/secrets/upsd   # then vpower does not log in at upsd
            tls: off                          # default; or {require: /etc/vpower/upsd-ca.pem}
            assumedRuntime: 20m               # only if the UPS tells no runtime; default: none
            # When an outage becomes a shutdown. A low battery (OB LB) always does, at once.
            trigger:
              onBatteryFor: 5m                # this long on battery; default: never
              runtimeBelow: 10m               # no more runtime than this; default: never
              chargeBelow: 40%                # no more charge than this; default: never
              silentFor: 25s                  # default; on battery, then no answer for so long
              mainsStableFor: 60s             # default; mains back this long before a restore
              restoreAt: 30%                  # and this much charge; default: any
            # Cut the output after everything on it is down. Default: vpower never cuts it.
            output:
              command: shutdown.return        # default; an instant command (upscmd -l)

        # The vSphere clusters. At least one.
        clusters:
          - name: prod                        # as vCenter names it
            vcenter:
              address: vcenter.example.org    # the name in its certificate
              port: 443                       # default
              user: vpower@vsphere.local
              password: file:/etc/vpower/secrets/vcenter
              # Required: system (the machine's own authorities), {bundle: /path/of/ca.pem},
              # or the certificate's own hash, which `vpower trust` shows:
              certificate:
                sha256: 4f0c1d2e3b4a59687786958493a2b1c0d0e1f2031425364758697a8b9cadbecf
              # soap (default), or json: VI JSON, where vCenter is 8.0U1 or newer. Neither
              # has been run against a real vCenter yet; soap is what vCenters know longest.
              transport: soap
              # vim (default): guests are shut down, stopped and started as all else is asked; or
              # rest: over the REST API, which has no tasks to follow and names no host to start on
              guestPower: vim
              # proxy: http://proxy.example.org:3128   # default: none, whatever the environment says
            vcsa: vcenter                     # the guest that is this vCenter: name or instanceUuid;
                                              # default: found by its host name and addresses
            vcsaElsewhere: false              # default; true, without vcsa: no guest of this cluster
            needs: []                         # clusters of this site that hold this one's vCSA or
                                              # infrastructure: they go down after it; default: []
            controller: vpower                # the guest vpower runs in, if it does; default: found
                                              # by this machine's own UUID (DMI)
            controllerElsewhere: false        # default; true, without controller: no guest of it

            # Every ESXi host of the cluster.
            hosts:
              - name: esx1.example.org        # as vCenter names it
                address: 192.0.2.11           # default: the name
                sshPort: 22                   # default
                user: root                    # default
                key: /etc/vpower/keys/esx     # a private key: `vpower keys generate` makes one
                passphrase: file:/etc/vpower/secrets/esx-key   # default: it has none
                hostKeys:                     # from `vpower trust`; a changed key is refused
                  - SHA256:0123456789abcdefghijABCDEFGHIJ0123456789abc
                # The host's own SOAP endpoint: with it, a host is asked over SOAP, and over SSH
                # where that fails. Default: none, and everything goes over SSH.
                api:
                  port: 443                   # default
                  user: root                  # default
                  password: file:/etc/vpower/secrets/esx
                  certificate:                # as a vCenter's, above
                    sha256: 5f0c1d2e3b4a59687786958493a2b1c0d0e1f2031425364758697a8b9cadbecf
                control: soap                 # default with api; or ssh: asked first. The boot
                                              # script always goes over SSH
                feeds: [ups-a]                # what its power supplies hang on
                feedsNeeded: 1                # default; how many of them must be healthy
                wake: 0c:c4:7a:12:34:56       # hardware address for Wake-on-LAN; default: none
                # Its management controller (iDRAC, iLO, ...), asked over Redfish whether the host
                # is off. Default: none; a host that was told and is silent for limits.settle is.
                bmc:
                  address: 192.0.2.111
                  port: 443                   # default
                  user: vpower                # one who may only read is enough
                  password: file:/etc/vpower/secrets/bmc
                  certificate:                # as a vCenter's, above
                    sha256: 0011223344556677889900aabbccddeeff00112233445566778899aabbccddee
                  system: System.Embedded.1   # default: its only one
                boot: auto                    # default: what holds for the cluster, below
                ssh: run                      # default: what holds for the cluster, below
              - name: esx2.example.org        # in place of key: password or agent
                password: file:/etc/vpower/secrets/esx
                hostKeys: [SHA256:abcdefghij0123456789ABCDEFGHIJabcdefghij010]
                feeds: [ups-a]

            # Guests that go down together; the first tier goes down first and comes up last.
            # Who is in a tier: those that fit any of its guests, folders, resourcePools, tags and
            # attributes. Of several tiers that fit a guest, the first has it.
            tiers:
              - name: apps
                guests: ["web*", "app*"]      # names or instanceUuids; * stands for anything
                folders: [Prod/Web]           # below the datacenter's; with all below it
                resourcePools: [High/Web]     # below the cluster's own; with all below it
                tags: [Role/frontend]         # category/name
                attributes:                   # custom attributes, each with its value
                  Owner: "team-*"
                limit: 3m                     # default; how long a guest may take
                onLimit: powerOff             # default; suspend: its memory is written to disk;
                                              # leave: it goes down with its host
              - name: databases
                guests: ["*-db", "sql*"]
                limit: 10m
                onLimit: leave
                startDelay: 30s               # pause after each guest that was started; default: 0s
                waitForTools: true            # started is who has Tools running; default: false
                # Commands on vpower's own machine, one after the other; no shell reads them. What
                # fails or takes too long is recorded, and the shutdown goes on. Default: [].
                before:                       # before the tier goes down
                  - command: [/usr/local/bin/flush-logs, --all]
                    limit: 1m                 # default; then it is killed
                after:                        # after the tier is down
                  - command: [/usr/local/bin/tell-storage]
              - name: tests
                guests: ["test-*"]
                keepOff: true                 # a restore leaves them off; default: false
                shed:                         # shut down alone, so that the battery lasts; default:
                  onBatteryFor: 2m            # never. The first of these that is true decides
                  runtimeBelow: 20m
                  chargeBelow: 60%
              - name: others
                guests: []                    # only the default tier may name none
            defaultTier: others               # the tier of every guest no tier names

            # Guests others need to work at all (DNS, NTP, AD, storage appliances): down after
            # vCSA, up before it. A list of names, or keys as a tier has them. Default: [].
            infrastructure: [dns1, dns2]

            # What holds for single guests instead of their tier's limit, onLimit, keepOff,
            # startDelay or waitForTools. The first rule that fits a guest and says it decides.
            # vCSA has no rules. Default: [].
            guests:
              - match: [sql1]                 # a list of names, or keys as a tier has them
                limit: 20m
                after: ["sql-proxy*"]         # goes down after these guests of the same tier, and
                                              # comes up before them
              - match: {tags: [Role/batch]}
                onLimit: suspend

            # How to answer the questions that guests wait with, e.g. whether one was moved or copied:
            # those that fit none of these are a person's to answer. The first that fits decides.
            answers: []                       # default
            # answers:
            #   - match: msg.uuid.altered     # a message's name, or a part of the question's words
            #     choose: I _moved it         # the choice, by its label

            # Whether vCSA and infrastructure guests of a host that does not come back may be
            # registered and started on another one, once that host is proven off.
            adoptGuests: false                # default

            # How long the other steps may take. All of them are optional; these are the defaults.
            limits:
              freeze: 2m                      # until HA, DRS and DPM are seen to be off
              vcls: 5m                        # until the vCLS guests are gone, or back
              arm: 1m                         # until a host's boot script is installed, or a
                                              # machine was told to go by itself
              vcsa: 10m                       # until vCSA has shut down
              infrastructure: 5m              # until an infrastructure guest has shut down
              vsan: 15m                       # until a vSAN cluster is ready, or recovered
              maintenance: 1m                 # until a host is in maintenance mode
              host: 10m                       # until a host is down
              leave: 5m                       # until vpower's own host is off, after it was told
              settle: 20s                     # how long a host must be silent to count as down
              hostBack: 30m                   # until a host is back after its power is
              bootScript: 30m                 # until a boot script reports that it is done
              vcenterBack: 30m                # until vCenter answers after vCSA was started
              start: 5m                       # until a guest that was started is on
              armedFor: 7d                    # a host that boots later than this starts nothing
              bootSettle: 60s                 # a boot script's pause before its first guest
              startGap: 5s                    # between two guests that a boot script starts
              afterVCSA: 5m                   # how long a boot script waits for vCSA to answer
                                              # before the others; where it cannot look: all of it
              look: 2s                        # between two looks at a host, or at HA's agents
              dependents: 30m                 # until a cluster that needs this one is down
              tools: 5m                       # until Tools answer, where a tier waits for them
              margin: 1m                      # kept of the runtime the UPS promises
            maintenanceMode: false            # default; true: before a host is shut down
            # How guests come up with their host. localsh: a script in its local.sh, which ESXi
            # does not run where Secure Boot is on; autostart: the host's own, set over its `api`
            # for the outage, HA off; controller: by vpower alone. auto takes the first that can.
            boot: auto                        # default
            # When the hosts' SSH service (TSM-SSH) runs: always, or run: vpower starts it for a run,
            # over a host's `api` or else through vCenter, and stops it when all is back.
            ssh: always                       # default
            witness: 192.0.2.1:22             # behind the hosts' switch, must still answer for
                                              # silence to mean down; default: none
            # What hosts start after a cut that nobody announced: nothing (default), or
            # infrastructure+vcsa: those guests, each where it is registered, also if somebody had
            # shut them down. Put in place by `vpower render-localsh --install --unarmed`.
            unarmedBoot: nothing
            # Your own lines and files that each host is to have back after every boot, armed or
            # not: ESXi forgets them. A host's own `extras` come after these. They run as root, in
            # their order, beside the guests; vpower does not look what they do. 16 KiB for a host.
            extras:                           # default: []
              - file: /etc/vmware/firewall/vpower.xml
                content: |
                  <ConfigRoot>
                    <service id="9000"><id>to-vcsa</id><enabled>true</enabled></service>
                  </ConfigRoot>
              - run: esxcli network firewall refresh
                limit: 60s                    # default; then it is killed

        # What is neither host nor guest (storage, switches, servers), down after the last host.
        # Default: [].
        machines:
          - name: nas1
            address: 192.0.2.20               # default: the name
            sshPort: 22                       # default
            user: vpower
            agent: /run/vpower/agent.sock     # an SSH agent's key; or key, or password
            agentKey: SHA256:ABCDEFGHIJabcdefghij0123456789ABCDEFGHIJ01A   # default: its only one
            hostKeys: [SHA256:ABCDEFGHIJ0123456789abcdefghijABCDEFGHIJ01A]
            shutdownCommand: sudo /sbin/poweroff
            wake: 0c:c4:7a:65:43:20           # default: none
            feeds: [ups-a]
            limit: 5m                         # default; until it is down
          - name: san1.example.org            # storage of the host that vpower itself runs on
            user: vpower
            key: /etc/vpower/keys/san1
            hostKeys: [SHA256:ABCDEFGHIJ0123456789abcdefghijABCDEFGHIJ01E]
            shutdownCommand: sudo /sbin/shutdown -h +8   # returns at once
            delay: 8m                         # and so long after that it goes; default: at once
            cancelCommand: sudo /sbin/shutdown -c   # calls that off; default: nothing does
            feeds: [ups-a]

        """
}
