//! Points in time, as people and JSON write them.

/// The time so many nanoseconds after the beginning of 1970, in UTC, by RFC 3339: `2026-11-23T16:30:00.000000001Z`.
pub(crate) fn rfc3339(nanoseconds: u64) -> String {
    const PER_SECOND: u64 = 1_000_000_000;
    const PER_DAY: u64 = 86_400;

    let (seconds, fraction) = (nanoseconds / PER_SECOND, nanoseconds % PER_SECOND);
    let (year, month, day) = date(seconds / PER_DAY);
    let of_day = seconds % PER_DAY;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:09}Z")
}

/// Year, month and day, so many days after the beginning of 1970. Years are counted from March, so that the leap day is
/// the last one, and in periods of 400, which all have as many days.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_BEFORE_1970: u64 = 719_468;
    const DAYS_OF_400_YEARS: u64 = 146_097;

    let days = days.saturating_add(DAYS_BEFORE_1970);
    let (period, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let leap_days = (day / 1460).saturating_add(day / 146_096);
    let year = day.saturating_add(day / 36_524).saturating_sub(leap_days) / 365;
    let day_of_year = day.saturating_sub(year * 365 + year / 4 - year / 100);
    // From March on, every five months have 153 days.
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, turn) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year + period * 400 + turn, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_every_kind_of_day() {
        const DAY: u64 = 86_400;
        for (seconds, want, why) in [
            (0, "1970-01-01T00:00:00", "the beginning"),
            (DAY - 1, "1970-01-01T23:59:59", "its last second"),
            (59 * DAY, "1970-03-01T00:00:00", "no leap day"),
            (951_782_400, "2000-02-29T00:00:00", "a leap day of a century"),
            (951_868_800, "2000-03-01T00:00:00", "and the day after"),
            (1_709_164_800, "2024-02-29T00:00:00", "a leap day"),
            (1_735_689_599, "2024-12-31T23:59:59", "the last day of a leap year"),
            (4_107_542_400, "2100-03-01T00:00:00", "no leap day in this century"),
            (18_446_744_073, "2554-07-21T23:34:33", "the last second there is"),
        ] {
            let nanoseconds = seconds * 1_000_000_000 + 7;
            assert_eq!(rfc3339(nanoseconds), format!("{want}.000000007Z"), "{why}");
        }
    }
}
