//! Civil time, without a time zone database: everything is UTC.

use super::digits::eight;

const NS_PER_SECOND: u64 = 1_000_000_000;
const SECONDS_PER_DAY: u64 = 86_400;

/// Appends a time as RFC 3339 has it, in UTC with microseconds and without quotes: `2026-11-22T07:24:28.123456Z`.
/// Always 27 characters, so that lines sort by time. `unix_ns` is in nanoseconds since the Unix epoch, and what is
/// below a microsecond is cut off.
pub fn time_rfc3339(out: &mut Vec<u8>, unix_ns: u64) {
    let (seconds, ns) = (unix_ns / NS_PER_SECOND, unix_ns % NS_PER_SECOND);
    let (year, month, day) = civil(seconds / SECONDS_PER_DAY);
    let second = seconds % SECONDS_PER_DAY;
    let date = eight(year * 10_000 + month * 100 + day); // 20261122
    let time = eight(second / 3600 * 10_000 + second / 60 % 60 * 100 + second % 60) >> 16; // 072428
    let micro = eight(ns / 1000) >> 16; // 123456
    let text = [
        date & 0xffff_ffff | at(b'-', 4) | (date >> 32 & 0xffff) << 40 | at(b'-', 7),
        date >> 48 | at(b'T', 2) | (time & 0xffff) << 24 | at(b':', 5) | (time >> 16 & 0xffff) << 48,
        at(b':', 0) | (time >> 32) << 8 | at(b'.', 3) | micro << 32,
    ];
    text.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
    let [_, _, _, _, tens, ones, ..] = micro.to_le_bytes();
    out.extend_from_slice(&[tens, ones, b'Z']);
}

/// A character at a place of a word.
const fn at(character: u8, place: u32) -> u64 {
    (character as u64) << (8 * place)
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar. The year is taken to begin on
/// 1 March, so that the leap day is its last and the months before have the repeating lengths 31, 30, 31, 30, 31
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let since_0000_03_01 = days + 719_468;
    let (era, day_of_era) = (since_0000_03_01 / 146_097, since_0000_03_01 % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(unix_ns: u64) -> String {
        let mut out = Vec::new();
        time_rfc3339(&mut out, unix_ns);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn known_moments() {
        let table = [
            (0, "1970-01-01T00:00:00.000000Z"),
            (68_169_599_999_999_999, "1972-02-28T23:59:59.999999Z"),
            (68_169_600_000_000_000, "1972-02-29T00:00:00.000000Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000000Z"),
            (951_868_800_000_000_000, "2000-03-01T00:00:00.000000Z"),
            (1_735_689_599_000_001_000, "2024-12-31T23:59:59.000001Z"),
            (1_795_332_268_123_456_789, "2026-11-22T07:24:28.123456Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000Z"),
            (4_107_456_000_000_000_000, "2100-02-28T00:00:00.000000Z"),
            (9_223_372_036_854_775_807, "2262-04-11T23:47:16.854775Z"),
            (u64::MAX, "2554-07-21T23:34:33.709551Z"),
        ];
        for (unix_ns, expected) in table {
            assert_eq!(text(unix_ns), expected);
        }
    }

    /// Against a calendar that is walked day by day.
    #[test]
    fn every_day_there_is() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..=u64::MAX / NS_PER_SECOND / SECONDS_PER_DAY {
            assert_eq!(civil(days), (year, month, day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + u64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }
}
