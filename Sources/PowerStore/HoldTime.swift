import Glibc
public import PowerModel

/// The end of a hold as a person writes it, in this machine's own time zone: `14:30` (the next
/// one), `2026-11-21T14:30`, or `+2h`, `+90m`, `+1h30m`, `+45s` from now.
public enum HoldTime {
    /// The moment that is meant; nil when the text is none of these forms, or no such time.
    public static func parse(_ text: String, now: Timestamp) -> Timestamp? {
        if text.hasPrefix("+") { return duration(text.dropFirst()).map { now + $0 } }
        if let (hour, minute) = clock(text[...]) {
            let today = local(now)
            let seconds = now.millisecondsSinceEpoch / 1000
            for day in [today.tm_mday, today.tm_mday + 1] {
                guard
                    let then = moment(
                        today.tm_year, today.tm_mon, day, hour, minute, exactDay: false)
                else { return nil }
                if then > seconds { return Timestamp(millisecondsSinceEpoch: then * 1000) }
            }
            return nil
        }
        let parts = text.split(separator: "T", omittingEmptySubsequences: false)
        guard parts.count == 2, let (hour, minute) = clock(parts[1]) else { return nil }
        let date = parts[0].split(separator: "-", omittingEmptySubsequences: false)
        guard date.count == 3, date[0].count == 4, let year = number(date[0], 1970...9999),
            date[1].count == 2, let month = number(date[1], 1...12),
            date[2].count == 2, let day = number(date[2], 1...31),
            let then = moment(year - 1900, month - 1, day, hour, minute, exactDay: true)
        else { return nil }
        return Timestamp(millisecondsSinceEpoch: then * 1000)
    }

    /// A moment as people read it here, with the zone: `2026-11-21 14:30 CET`.
    public static func text(_ moment: Timestamp) -> String {
        let time = local(moment)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(time.tm_year + 1900)-\(two(time.tm_mon + 1))-\(two(time.tm_mday))"
            + " \(two(time.tm_hour)):\(two(time.tm_min)) \(String(cString: time.tm_zone))"
    }

    private static func local(_ moment: Timestamp) -> tm {
        var seconds = time_t(moment.millisecondsSinceEpoch / 1000)
        var result = tm()
        localtime_r(&seconds, &result)
        return result
    }

    /// Seconds since the epoch of a local time; nil for a time that is not on the clock that day.
    private static func moment(
        _ year: Int32, _ month: Int32, _ day: Int32, _ hour: Int32, _ minute: Int32,
        exactDay: Bool
    ) -> Int64? {
        var time = tm()
        time.tm_year = year
        time.tm_mon = month
        time.tm_mday = day
        time.tm_hour = hour
        time.tm_min = minute
        time.tm_isdst = -1
        let seconds = mktime(&time)
        let isThatDay = time.tm_mday == day && time.tm_mon == month
        guard seconds != -1, time.tm_hour == hour, time.tm_min == minute, isThatDay || !exactDay
        else { return nil }
        return Int64(seconds)
    }

    private static func clock(_ text: Substring) -> (Int32, Int32)? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].count == 2, (1...2).contains(parts[0].count),
            let hour = number(parts[0], 0...23), let minute = number(parts[1], 0...59)
        else { return nil }
        return (hour, minute)
    }

    private static func number(_ text: Substring, _ range: ClosedRange<Int32>) -> Int32? {
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = Int32(text), range.contains(number)
        else { return nil }
        return number
    }

    /// `2h`, `90m`, `1h30m`, `45s`; never nothing.
    private static func duration(_ text: Substring) -> Duration? {
        var rest = text
        var seconds: Int64 = 0
        for (unit, factor) in [(Character("h"), Int64(3600)), ("m", 60), ("s", 1)] {
            guard let end = rest.firstIndex(of: unit) else { continue }
            guard let count = number(rest[..<end], 0...100_000) else { return nil }
            seconds += Int64(count) * factor
            rest = rest[rest.index(after: end)...]
        }
        return rest.isEmpty && seconds > 0 ? .seconds(seconds) : nil
    }
}
