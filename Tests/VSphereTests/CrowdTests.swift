import Foundation
import Testing

/// A thousand guests behind govmomi's simulator, each call of which takes a while: what `make bench`
/// measures in release, here in a debug build.
@Suite(.serialized) struct CrowdTests {
    /// A debug build takes 1.3 times the waits on a quiet machine with two cores, and twice as long
    /// beside the other tests. Calls one after the other would take sixteen times as long.
    @Test func `a tier of a thousand guests costs a call each and hardly more than their waits`()
        throws
    {
        let (guests, delay, patience) = (1000, 50, 4)
        let certificate = try Certificate()
        let server = try LocalServer.vcsim(
            certificate, guests: guests, delayMilliseconds: delay, isCrowd: true)
        let said = try run(
            Places.root.appending(path: ".build/debug/crowd").path,
            ["\(server.port)", certificate.sha256, "\(guests)", "\(delay)", "\(patience)"],
            in: certificate.scratch.url, environment: ["VCSIM_PASSWORD": LocalServer.password])
        print(said)
    }
}
