import PowerModel

/// A release of vSphere that the lab can be (facts/vsphere.md 1.1, 1.2, 2.5).
public enum LabRelease: String, CaseIterable, Hashable, Sendable {
    case v67 = "6.7"
    case v70u3 = "7.0u3"
    case v80u1 = "8.0u1"
    case v80u2 = "8.0u2"
    case v80u3 = "8.0u3"
    case v90 = "9.0"

    /// The newest version of vim25 that it speaks.
    var newest: VimVersion {
        switch self {
        case .v67: VimVersion("6.7")
        case .v70u3: VimVersion("7.0.3.0")
        case .v80u1: VimVersion("8.0.1.0")
        case .v80u2: VimVersion("8.0.2.0")
        case .v80u3: VimVersion("8.0.3.0")
        case .v90: VimVersion("9.0.0.0")
        }
    }

    /// All versions of vim25 that it speaks, newest first.
    var versions: [VimVersion] { VimVersion.known.filter { $0 <= newest } }

    /// What its products say of themselves.
    var product: (version: String, build: String) {
        switch self {
        case .v67: ("6.7.0", "8169922")
        case .v70u3: ("7.0.3", "18644231")
        case .v80u1: ("8.0.1", "21560480")
        case .v80u2: ("8.0.2", "22617221")
        case .v80u3: ("8.0.3", "24022510")
        case .v90: ("9.0.0", "24755230")
        }
    }

    /// Whether vCenter shuts a vSAN cluster down by itself.
    var hasVSANPower: Bool { self != .v67 }
    /// Whether vCenter serves VI JSON.
    public var hasJSON: Bool { self != .v67 && self != .v70u3 }
    /// Whether it answers `POST /api/vcenter/system?action=hello`.
    var hasHello: Bool { hasJSON && self != .v80u1 }
    /// Which releases of VI JSON it serves, newest first.
    var jsonReleases: [VimVersion] {
        hasJSON ? versions.filter { $0 >= VimVersion("8.0.1.0") } : []
    }
    /// Whether its REST interface has the shape `/api` in full.
    var hasAPI: Bool { self != .v67 }
    /// Whether it still has the shape `/rest`; that 9.0 has not is a guess (facts/vsphere.md 7).
    var hasREST: Bool { self != .v90 }

    /// What a cluster's own agents are.
    public enum VCLS: Hashable, Sendable {
        /// There are none yet.
        case none
        /// Guests that EAM places and starts again.
        case external
        /// Guests in the hosts' memory.
        case embedded
    }

    /// What kind of vCLS it deploys.
    public var vcls: VCLS {
        switch self {
        case .v67: .none
        case .v70u3, .v80u1, .v80u2: .external
        case .v80u3, .v90: .embedded
        }
    }
}

extension LabScenario {
    /// Makes the cluster's own agents what this release deploys where all hosts have it too.
    public mutating func suit(_ release: LabRelease) {
        apiVersion = VersionNumber(release.newest.text) ?? apiVersion
        switch release.vcls {
        case .none:
            guests.removeAll { $0.nature.isVCLS }
            automation.vcls = .notThere
        case .external: break
        case .embedded:
            for index in guests.indices where guests[index].nature == .vcls {
                guests[index].nature = .embeddedVCLS
            }
        }
    }
}
