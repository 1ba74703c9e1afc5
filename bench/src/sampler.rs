//! Times of small things on a machine that does other things, too.
//!
//! All cases take turns, a few milliseconds each, for many rounds: whatever slows the machine down for a while slows all
//! of them down, and ratios are taken within a round. Criterion runs one case to its end before the next one, so that a
//! busy half minute would fall on one side of a ratio. And it is the time of the processor that counts, not that of the
//! clock: while others have the processor, nothing is measured.

use std::hint::black_box;
use std::time::Duration;

use nix::time::ClockId;

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// How often each case has its turn.
    pub(crate) rounds: usize,
    /// How long a turn takes.
    pub(crate) turn: Duration,
}

impl Effort {
    /// For numbers to print.
    pub(crate) const FULL: Self = Self {
        rounds: 41,
        turn: Duration::from_millis(2),
    };
    /// To see that everything runs.
    pub(crate) const SHORT: Self = Self {
        rounds: 5,
        turn: Duration::from_micros(200),
    };
}

/// Something to time.
pub(crate) struct Case<'a> {
    /// Which kind of thing.
    pub(crate) group: String,
    /// In which situation.
    pub(crate) name: String,
    repeat: Box<dyn FnMut(u64) + 'a>,
}

impl<'a> Case<'a> {
    /// A case that asks `question` again and again.
    pub(crate) fn new<T>(
        group: impl Into<String>,
        name: impl Into<String>,
        mut question: impl FnMut() -> T + 'a,
    ) -> Self {
        let repeat = move |times| {
            for _ in 0..times {
                black_box(question());
            }
        };
        Self {
            group: group.into(),
            name: name.into(),
            repeat: Box::new(repeat),
        }
    }

    fn time(&mut self, times: u64) -> Duration {
        processor_time(|| (self.repeat)(times)).1
    }

    /// How often it fits into a turn.
    fn fitting(&mut self, turn: Duration) -> u64 {
        let mut times = 1;
        loop {
            let took = self.time(times);
            if took * 2 >= turn {
                let fitting = u128::from(times) * turn.as_nanos() / took.as_nanos().max(1);
                return u64::try_from(fitting).unwrap_or(u64::MAX).max(1);
            }
            times *= 2;
        }
    }
}

/// What something comes to, and how long this thread had the processor for it.
pub(crate) fn processor_time<T>(body: impl FnOnce() -> T) -> (T, Duration) {
    // It cannot fail: a thread has a clock.
    let now = || {
        ClockId::CLOCK_THREAD_CPUTIME_ID
            .now()
            .map_or(Duration::ZERO, Duration::from)
    };
    let before = now();
    let result = body();
    (result, now().saturating_sub(before))
}

/// Nanoseconds for one question, round by round, for each case.
pub(crate) fn sample(cases: &mut [Case<'_>], effort: Effort) -> Vec<Series> {
    let times: Vec<u64> = cases.iter_mut().map(|case| case.fitting(effort.turn)).collect();
    let mut series = vec![Series::default(); cases.len()];
    for round in 0..effort.rounds {
        for at in order(cases.len(), round) {
            if let (Some(case), Some(times), Some(series)) = (cases.get_mut(at), times.get(at), series.get_mut(at)) {
                let took = case.time(*times);
                series.0.push(took.as_secs_f64() * 1e9 / *times as f64);
            }
        }
    }
    series
}

/// The order in which so many cases have their turns in a round: another one in each, or everybody would always meet the
/// caches that the same neighbour left.
pub(crate) fn order(cases: usize, round: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..cases).collect();
    // Xorshift: the same order in every run.
    let mut state = (round as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for last in (1..cases).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        order.swap(last, (state % (last as u64 + 1)) as usize);
    }
    order
}

/// What was measured of one thing, round by round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series(pub(crate) Vec<f64>);

/// The middle of a series, and between what half of it lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Series {
    /// Median and quartiles; nothing of an empty series.
    pub(crate) fn spread(&self) -> Option<Spread> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| {
            sorted
                .get(((sorted.len().checked_sub(1)?) as f64 * share).round() as usize)
                .copied()
        };
        Some(Spread {
            median: at(0.5)?,
            low: at(0.25)?,
            high: at(0.75)?,
        })
    }

    /// This one over another one, round by round.
    pub(crate) fn over(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(own, other)| own / other).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_the_middle_half() {
        for (values, expected, why) in [
            (&[][..], None, "nothing"),
            (&[3.0], Some((3.0, 3.0, 3.0)), "one"),
            (&[9.0, 1.0, 5.0, 3.0, 7.0], Some((5.0, 3.0, 7.0)), "in any order"),
        ] {
            let found = Series(values.to_vec()).spread();
            assert_eq!(found.map(|s| (s.median, s.low, s.high)), expected, "{why}");
        }
    }

    #[test]
    fn every_case_has_its_turn_in_every_round() {
        for (cases, why) in [(0, "nothing"), (1, "one"), (16, "many")] {
            let orders: Vec<Vec<usize>> = (0..5).map(|round| order(cases, round)).collect();
            for order in &orders {
                let mut sorted = order.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, (0..cases).collect::<Vec<_>>(), "{why}");
            }
            assert_eq!(orders[0] != orders[1], cases > 1, "{why}");
        }
    }

    #[test]
    fn what_does_eight_times_the_work_takes_longer() {
        let work = |n: u64| (0..black_box(n)).fold(0_u64, |sum, i| black_box(sum ^ i));
        let mut cases = [
            Case::new("work", "once", || work(2_000)),
            Case::new("work", "eight times", || work(16_000)),
        ];
        let series = sample(&mut cases, Effort::SHORT);
        let ratio = series[1].over(&series[0]).spread().expect("rounds");
        assert!(ratio.median > 2.0, "{ratio:?}");
    }
}
