public import PowerModel
public import PowerRun
import Templates

/// A host's local.sh as it is now.
public struct LocalSh: Hashable, Sendable {
    /// All of it.
    public var text: String
    /// Its sum, 64 hexadecimal digits.
    public var sha256: String
    /// Whether it is in the boot bank as it is. Only what vpower saw saved since the host's last
    /// boot can be seen; nil where it saw nothing.
    public var isSaved: Bool?
    /// The minute of every hour at which the host saves by itself; nil where it does not say.
    public var savesAtMinute: Int?

    /// What people have in it: all but vpower's block.
    public var foreign: String { BootScript.remove(text) }

    /// Whether a block for these orders is in it, whoever installed it and when, that lasts for at
    /// least half of the time that a new one would.
    /// - Throws: `refused` when a value cannot be written into a script.
    public func holds(_ orders: BootOrders, at now: Timestamp) throws(HostError) -> Bool {
        guard let block = BootScript.block(in: text) else { return false }
        let form = try BlockForm(orders)
        guard form.differences(of: block) == 0, let expiry = form.expiry(of: block) else {
            return false
        }
        return expiry - now >= (orders.expires - orders.armed) / 2
    }

    /// What differs from what would be installed now.
    /// - Parameters:
    ///   - kept: What people had in it when vpower last installed a block; nil when that is not
    ///     known.
    /// - Throws: `refused` when a value cannot be written into a script.
    public func drift(
        from orders: BootOrders, kept: String?, at now: Timestamp
    ) throws(HostError) -> LocalShDrift {
        var drift = LocalShDrift()
        if let block = BootScript.block(in: text) {
            try check(block, orders, at: now, &drift)
            if let kept {
                if BootScript.install(block: block, into: kept) == text {
                    drift.good.append("what else is in it is as it was")
                } else {
                    drift.problems.append(
                        "what is outside of vpower's block was changed since it was installed")
                }
            } else {
                drift.notes.append("whether anything else in it was changed cannot be seen")
            }
        } else if text.contains(BootScript.beginMarker) {
            drift.problems.append("its boot script is cut short, and does nothing")
        } else {
            drift.problems.append("no boot script is in it")
        }
        checkSaved(&drift)
        return drift
    }

    private func check(
        _ block: String, _ orders: BootOrders, at now: Timestamp, _ drift: inout LocalShDrift
    ) throws(HostError) {
        let form = try BlockForm(orders)
        let lines = form.differences(of: block)
        if lines > 0 {
            drift.problems.append(
                "its boot script is not what would be installed now: \(lines.counted("line")) "
                    + (lines == 1 ? "differs" : "differ"))
        } else {
            drift.good.append("its boot script is what would be installed now")
        }
        if let expiry = form.expiry(of: block), expiry < now {
            drift.problems.append("its boot script has expired, and does nothing")
        }
    }

    private func checkSaved(_ drift: inout LocalShDrift) {
        let byItself = savesAtMinute.map {
            " The host saves by itself at minute \($0) of each hour."
        }
        switch isSaved {
        case true?: drift.good.append("it is saved in the boot bank")
        case false?:
            drift.problems.append(
                "it was changed since vpower saw it saved: a power cut may lose that."
                    + (byItself ?? ""))
        case nil:
            drift.notes.append(
                "whether it is saved cannot be seen: nobody saved it through vpower since the host "
                    + "booted." + (byItself ?? ""))
        }
    }
}

/// How a host's local.sh differs from what vpower would install.
public struct LocalShDrift: Hashable, Sendable {
    /// What is as it should be.
    public var good: [String] = []
    /// What is not.
    public var problems: [String] = []
    /// What cannot be told.
    public var notes: [String] = []
}

/// The block for some orders, and which lines of it each installation has for itself: its run, and
/// from when to when it is armed.
private struct BlockForm {
    private let lines: [Substring]
    private let own: Set<Int>
    /// The line with the expiry, and what stands around it.
    private let expiry: (line: Int, before: Substring, after: Substring)?

    /// Two installations of the same orders that have nothing in common besides. The first and last
    /// digits differ, so that what stands around them can be told.
    init(_ orders: BootOrders) throws(HostError) {
        func block(
            _ run: String, _ armed: Int64, _ expires: Int64, probe: BootScriptProbe? = nil
        ) throws(HostError) -> [Substring] {
            var orders = orders
            orders.run = RunID(run)
            orders.armed = Timestamp(millisecondsSinceEpoch: armed * 1000)
            orders.expires = Timestamp(millisecondsSinceEpoch: expires * 1000)
            return Self.lines(try ESXiHost.script(orders, probe: probe))
        }
        let one = try block("a", 1_011_111_111, 1_333_333_333)
        // How the host can look at vCenter is tried there, at each installation.
        let probe = BootScriptProbe(tool: .nc, address: "192.0.2.1", port: 1)
        let other = try block("b", 1_122_222_222, 2_044_444_444, probe: probe)
        let later = try block("a", 1_011_111_111, 2_044_444_444)
        lines = one
        own = Set(
            zip(one, other).enumerated().filter { $0.element.0 != $0.element.1 }.map(\.offset))
        expiry = zip(one, later).enumerated().first { $0.element.0 != $0.element.1 }.map { found in
            let (line, other) = found.element
            let before = zip(line, other).prefix { $0 == $1 }.count
            let after = zip(line.reversed(), other.reversed()).prefix { $0 == $1 }.count
            return (found.offset, line.prefix(before), line.suffix(after))
        }
    }

    /// How many lines of an installed block are not those of these orders.
    func differences(of block: String) -> Int {
        let installed = Self.lines(block)
        let pairs = zip(installed, lines).enumerated()
        return pairs.count { !own.contains($0.offset) && $0.element.0 != $0.element.1 }
            + abs(installed.count - lines.count)
    }

    /// When an installed block expires.
    func expiry(of block: String) -> Timestamp? {
        let installed = Self.lines(block)
        guard let expiry, expiry.line < installed.count else { return nil }
        let line = installed[expiry.line]
        guard line.hasPrefix(expiry.before), line.hasSuffix(expiry.after),
            line.count > expiry.before.count + expiry.after.count,
            let seconds = Int64(line.dropFirst(expiry.before.count).dropLast(expiry.after.count)),
            (0...Int64(Int32.max)).contains(seconds)
        else { return nil }
        return Timestamp(millisecondsSinceEpoch: seconds * 1000)
    }

    private static func lines(_ block: String) -> [Substring] {
        block.split(separator: "\n", omittingEmptySubsequences: false)
    }
}
