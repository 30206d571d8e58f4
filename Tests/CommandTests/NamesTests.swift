import PowerLab
import PowerModel
import PowerStore
import Testing

extension CommandTests {
    /// DNS is off: it may be one of the guests.
    @Suite struct NamesTests {
        private static let names = ["vc.invalid", "esx1.invalid", "esx2.invalid", "esx3.invalid"]

        /// The lab's site file, with names that no resolver knows.
        private func site(_ lab: CommandLab) throws -> String {
            try lab.changedSite("names.yaml") { text in
                var rest = Self.names[...]
                return text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
                    guard line.hasSuffix("address: 127.0.0.1"), let name = rest.popFirst() else {
                        return String(line)
                    }
                    return String(line.replacing("127.0.0.1", with: name))
                }.joined(separator: "\n")
            }
        }

        @Test func `with the addresses in the journal the main job works without a resolver`()
            async throws
        {
            try await CommandLab.with { lab in
                let site = try site(lab)
                let before = try await lab.state()
                let check = try await lab.vpower("check", site: site)
                #expect(check.code == 1)
                for name in Self.names {
                    #expect(check.out.contains("\(name) does not resolve"), "\(check.all)")
                }
                try await takeSnapshot(lab)
                let down = try await lab.vpower("shutdown", "--yes", site: site)
                #expect(down.code == 0, "\(down.all)")
                #expect(try await lab.state().hostsOn == [])
                try await lab.cyclePower()
                let up = try await lab.vpower("restore", site: site)
                #expect(up.code == 0, "\(up.all)")
                let after = try await lab.state()
                #expect(after.hostsOn == before.hostsOn)
                // vCLS guests are new ones after a retreat.
                #expect(Set(after.guestsOn).isSuperset(of: before.guestsOn.filter(isKept)))
                #expect(after.automation.ha && after.automation.drsLevel == .fullyAutomated)
            }
        }

        private func isKept(_ guest: String) -> Bool { !guest.hasPrefix("vCLS") }

        /// As a run that was killed right after it had written its snapshot.
        private func takeSnapshot(_ lab: CommandLab) async throws {
            var snapshot = try await MemorySite().cluster.snapshot()
            snapshot.addresses = Dictionary(
                uniqueKeysWithValues: Self.names.map { ($0, ["127.0.0.1"]) })
            let journal = try SQLiteJournal(directory: "\(lab.directory)/state") {
                Timestamp(millisecondsSinceEpoch: 1_800_000_000_000)
            }
            let outage = OutageID("outage")
            _ = try await journal.append(
                .outageOpened(cluster: snapshot.cluster, reason: "test"), run: nil, outage: outage)
            _ = try await journal.append(.snapshotTaken(snapshot), run: nil, outage: outage)
        }
    }
}
