import Glibc

/// upsmon's NOTIFYCMD: hands one UPS event to vpower's daemon and is gone.
///
/// What upsmon gives (facts/nut.md 2.2): NOTIFYTYPE and UPSNAME in the environment, the message as
/// the last argument. It prints nothing and always exits 0, since upsmon looks at neither; it never
/// waits for the daemon; and it looks at no UPS, because an event is only a hint to look.
///
/// Glibc alone: with Foundation it would start too slowly, and upsmon forks one per event.
@main
struct Main {
    static func main() {
        let event = Event.fromSurroundings()
        let bytes = event.encoded()
        let socketPath = environment("VPOWER_NOTIFY_SOCKET") ?? Event.socketPath
        if !Socket.send(bytes, to: socketPath) {
            Spool(directory: environment("VPOWER_SPOOL") ?? Spool.directory).keep(bytes)
        }
        // Not `exit`: there is nothing to flush, and upsmon's streams are not ours to touch.
        _exit(0)
    }
}

/// A variable of the environment as text, if it is there and not empty.
func environment(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
}
