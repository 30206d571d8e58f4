import FoundationEssentials
import Glibc

/// Keeps a simulated host's sshd and its account together: a key that sshd has refused counts as a
/// password does, and while the account is locked no key is accepted.
final class LabLoginWatch: Sendable {
    /// sshd at its usual log level says so of everybody who leaves without having logged in.
    private static let refusal = " authenticating user "
    /// A wrong password, which the account has counted itself.
    private static let passwordRefusal = "PAM: Authentication failure"
    /// How often the log is read.
    private static let lookEvery: Duration = .milliseconds(50)

    private let task: Task<Void, Never>

    /// Begins with a log that is empty.
    ///
    /// - Parameters:
    ///   - log: sshd's log.
    ///   - keys: the file of the keys that may log in; it is set aside while the account is locked.
    init(_ account: LabHostAccount, log: String, keys: String) {
        task = Task {
            var counted = 0
            var isLocked = false
            while !Task.isCancelled {
                let text = String(decoding: LabRootfs.regularFile(log) ?? [], as: UTF8.self)
                // Its lines end with a carriage return and a line feed: one character to Swift.
                let lines = text.split(whereSeparator: \.isNewline)
                let refused = Self.refusedKeys(lines)
                for _ in counted..<max(counted, refused) { account.noteRefusal() }
                counted = max(counted, refused)
                if account.isLocked != isLocked {
                    isLocked.toggle()
                    let (from, to) = isLocked ? (keys, keys + ".locked") : (keys + ".locked", keys)
                    _ = rename(from, to)
                }
                // A watch that is stopped looks no more.
                try? await Task.sleep(for: Self.lookEvery)
            }
        }
    }

    /// Connections that ended without a login, and in which no password was wrong.
    private static func refusedKeys(_ lines: [Substring]) -> Int {
        var refused = 0
        var hadPassword = false
        for line in lines {
            if line.contains(passwordRefusal) { hadPassword = true }
            guard line.contains(refusal) else { continue }
            if !hadPassword { refused += 1 }
            hadPassword = false
        }
        return refused
    }

    func stop() { task.cancel() }
}
