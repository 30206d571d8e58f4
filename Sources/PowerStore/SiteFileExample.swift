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
            vcsa: vcenter                     # the guest that is this vCenter: name or instanceUuid
            controller: vpower                # the guest vpower runs in, if it does; default: none

            # Every ESXi host of the cluster.
            hosts:
              - name: esx1.example.org        # as vCenter names it
                address: 192.0.2.11           # default: the name
                sshPort: 22                   # default
                user: root                    # default
                key: /etc/vpower/keys/esx     # a private key (ECDSA); or password: file:/...
                hostKeys:                     # from `vpower trust`; a changed key is refused
                  - SHA256:0123456789abcdefghijABCDEFGHIJ0123456789abc
                feeds: [ups-a]                # what its power supplies hang on
                feedsNeeded: 1                # default; how many of them must be healthy
                wake: 0c:c4:7a:12:34:56       # hardware address for Wake-on-LAN; default: none
              - name: esx2.example.org
                password: file:/etc/vpower/secrets/esx
                hostKeys: [SHA256:abcdefghij0123456789ABCDEFGHIJabcdefghij010]
                feeds: [ups-a]

            # Guests that go down together; the first tier goes down first and comes up last.
            tiers:
              - name: apps
                guests: ["web*", "app*"]      # names or patterns; * stands for anything
                limit: 3m                     # default; how long a guest may take
                onLimit: powerOff             # default; or leave: it goes down with its host
              - name: databases
                guests: ["*-db", "sql*"]
                limit: 10m
                onLimit: leave
              - name: others
                guests: []                    # only the default tier may name none
            defaultTier: others               # the tier of every guest no tier names

            # Guests others need to work at all (DNS, NTP, AD, storage appliances): down after
            # vCSA, up before it. Default: [].
            infrastructure: [dns1, dns2]

            # How long the other steps may take. All of them are optional; these are the defaults.
            limits:
              freeze: 2m                      # until HA, DRS and DPM are seen to be off
              vcls: 5m                        # until the vCLS guests are gone, or back
              arm: 1m                         # until a host's boot script is installed
              vcsa: 10m                       # until vCSA has shut down
              infrastructure: 5m              # until an infrastructure guest has shut down
              maintenance: 1m                 # until a host is in maintenance mode
              host: 10m                       # until a host is down
              settle: 20s                     # how long a host must be silent to count as down
              hostBack: 30m                   # until a host is back after its power is
              bootScript: 30m                 # until a boot script reports that it is done
              vcenterBack: 30m                # until vCenter answers after vCSA was started
              start: 5m                       # until a guest that was started is on
              armedFor: 7d                    # a host that boots later than this starts nothing
              startGap: 5s                    # between two guests that a boot script starts
              afterVCSA: 5m                   # a boot script's pause between vCSA and the others
              look: 2s                        # between two looks at a host, or at HA's agents
              tools: 5m                       # until Tools answer, where a tier waits for them
              margin: 1m                      # kept of the runtime the UPS promises
            maintenanceMode: false            # default; true: before a host is shut down
            witness: 192.0.2.1:22             # behind the hosts' switch, must still answer for
                                              # silence to mean down; default: none

        # What is neither host nor guest (storage, switches, servers), down after the last host.
        # Default: [].
        machines:
          - name: nas1
            address: 192.0.2.20               # default: the name
            sshPort: 22                       # default
            user: vpower
            key: /etc/vpower/keys/nas         # or password: file:/...
            hostKeys: [SHA256:ABCDEFGHIJ0123456789abcdefghijABCDEFGHIJ01A]
            shutdownCommand: sudo /sbin/poweroff
            wake: 0c:c4:7a:65:43:20           # default: none
            feeds: [ups-a]
            limit: 5m                         # default; until it is down

        """
}
