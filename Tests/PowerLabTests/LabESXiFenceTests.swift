import FoundationEssentials
import Glibc
import PowerLab
import Testing

@Suite struct LabESXiFenceTests {
    @Test func `only ESXi's applets are there, and nothing of the machine`() async throws {
        try await LabESXiBench.with { bench in
            for tool in [
                "tr", "curl", "bash", "nc", "ps", "flock", "base64", "bc", "python3", "perl",
                "ip", "mount", "busybox",
            ] {
                let tried = try await bench.ssh("\(tool) --help")
                #expect(tried.status == 127, "\(tool): \(tried)")
            }
            let seen = try await bench.ssh(
                "cat /etc/passwd; ls /; ls -a /home /root /proc /usr/bin /work 2>&1; id 2>&1")
            #expect(seen.output.hasPrefix("root:x:0:0:Administrator:/:/bin/sh\n"))
            let machine = try String(
                contentsOf: URL(filePath: "/etc/passwd"), encoding: .utf8)
            for account in machine.split(separator: "\n").dropFirst() {
                #expect(!seen.output.contains(account))
            }
            for missing in ["/home", "/root", "/proc", "/work"] {
                #expect(seen.output.contains("ls: \(missing): No such file or directory"))
            }
            let applets = try await bench.ssh(
                "for a in awk sed grep logger nohup setsid sha256sum vim-cmd esxcli; do which $a || echo MISSING $a; done"
            )
            #expect(!applets.output.contains("MISSING"), "\(applets)")
        }
    }

    @Test func `a write inside never reaches the machine, and the environment is empty`()
        async throws
    {
        // A name that nobody else's file has.
        let leak = "/tmp/vpower-leak-\(UUID().uuidString)"
        try await LabESXiBench.with { bench in
            let written = try await bench.ssh(
                "echo x > \(leak); echo x > /usr/lib/vmware/busybox/bin/busybox; "
                    + "echo x > /lib/x86_64-linux-gnu/libc.so.6; env")
            #expect(access(leak, F_OK) != 0)
            #expect(written.errors.contains("busybox: Read-only file system"))
            let names = Set(
                written.output.split(separator: "\n").compactMap { $0.split(separator: "=").first })
            #expect(
                names == ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "SHLVL"]
                    || names == ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD"], "\(names)")
        }
    }

    @Test func `the network is unreachable and outside processes cannot be signalled`()
        async throws
    {
        let victim = try LabProcess("/bin/sleep", ["60"])
        try await LabESXiBench.with { bench in
            let port = await bench.host.port
            let tried = try await bench.ssh(
                "kill -9 \(victim.pid) 2>&1; kill -9 \(getpid()) 2>&1; "
                    + "timeout 5 wget -q -O - http://127.0.0.1:\(port)/ 2>&1; echo wget $?")
            #expect(
                tried.output.contains("No such process")
                    || tried.output.contains("not permitted"), "\(tried)")
            #expect(!tried.output.contains("wget 0"), "\(tried)")
            #expect(!tried.output.contains("OpenSSH"), "\(tried)")
        }
        #expect(victim.isRunning)
        await victim.stop()
        #expect(!victim.isRunning)
    }

    @Test func `a power cut ends every process of the host, also a detached one`() async throws {
        try await LabESXiBench.with { bench in
            // A mark in the command line that only this process has.
            let mark = "\(UInt32.random(in: 1_000_000_000 ... .max))"
            _ = try await bench.ssh(
                "nohup setsid sh -c 'sleep \(mark)' </dev/null >/dev/null 2>&1 &")
            #expect(
                try await LabESXiBench.eventually { Self.isRunning(argument: mark) },
                "a detached process must outlive its session")
            await bench.host.powerOff(orderly: false)
            #expect(!Self.isRunning(argument: mark))
            let refused = try await bench.ssh("true")
            #expect(refused.status == 255)
            #expect(refused.errors.contains("Connection refused"), "\(refused)")
        }
    }

    /// Whether any process on the machine has this argument.
    private static func isRunning(argument: String) -> Bool {
        guard let processes = try? FileManager.default.contentsOfDirectory(atPath: "/proc") else {
            return false
        }
        return processes.filter { Int($0) != nil }.contains { pid in
            guard let line = try? Data(contentsOf: URL(filePath: "/proc/\(pid)/cmdline")) else {
                return false
            }
            return line.split(separator: 0).contains { $0.elementsEqual(argument.utf8) }
        }
    }
}
