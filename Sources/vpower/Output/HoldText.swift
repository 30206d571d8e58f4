import PowerModel
import PowerStore

extension Hold {
    /// The hold in one line, as it is shown everywhere.
    var line: String {
        let what = cluster.map { "cluster \($0)" } ?? "the whole site"
        return "HOLD for \(what) until \(HoldTime.text(until)): watched, not acted on:"
            + " \(reason.onOneLine)"
    }
}
