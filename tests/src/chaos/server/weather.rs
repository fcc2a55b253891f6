//! What a server does to a request instead of, or beside, answering it as it should; and how often.

use crate::chaos::rng::Rng;

/// One thing that goes wrong. Times are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends before the request is read.
    CutUnread,
    /// The request is read and the connection ends: nothing was taken.
    CutUnsent,
    /// The request is taken and the connection ends: the sender cannot know.
    CutAnswer,
    /// The request is taken, and half of the answer is sent.
    HalfAnswer,
    /// Taken, and the connection ends without an answer after a while.
    HangTaken,
    /// Not taken, and the connection ends without an answer after a while.
    HangUntaken,
    /// Answered as it should be, late.
    Slow,
    /// 400 `ThrottlingException`.
    Throttled,
    /// 429 that says for how long, in `x-amz-retry-after`.
    TooMany,
    /// 500 `InternalFailure`.
    Internal,
    /// 503 `ServiceUnavailableException`.
    Unavailable,
    /// 502 and a proxy's page.
    BadGateway,
    /// 413, if there is more than one item: one alone would be refused for good.
    TooLarge,
    /// 400 `ExpiredTokenException`.
    Expired,
    /// 400 `InvalidParameterException`: all of it is refused for good.
    Refused,
    /// 200 that rejects some of the log events as too old or too new; of metrics, as `Refused`.
    Rejected,
    /// 403 `AccessDeniedException`: an operator's mistake.
    Denied,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Fault; 17] = [
        Fault::CutUnread,
        Fault::CutUnsent,
        Fault::CutAnswer,
        Fault::HalfAnswer,
        Fault::HangTaken,
        Fault::HangUntaken,
        Fault::Slow,
        Fault::Throttled,
        Fault::TooMany,
        Fault::Internal,
        Fault::Unavailable,
        Fault::BadGateway,
        Fault::TooLarge,
        Fault::Expired,
        Fault::Refused,
        Fault::Rejected,
        Fault::Denied,
    ];

    /// The status and the code, where the server answers by itself and takes nothing.
    #[must_use]
    pub fn answer(self) -> Option<(u16, &'static str)> {
        Some(match self {
            Fault::Throttled => (400, "ThrottlingException"),
            Fault::TooMany => (429, "TooManyRequestsException"),
            Fault::Internal => (500, "InternalFailure"),
            Fault::Unavailable => (503, "ServiceUnavailableException"),
            Fault::TooLarge => (413, "RequestEntityTooLargeException"),
            Fault::Expired => (400, "ExpiredTokenException"),
            Fault::Refused => (400, "InvalidParameterException"),
            Fault::Denied => (403, "AccessDeniedException"),
            _ => return None,
        })
    }
}

/// Which faults a life meets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Weather {
    /// Those that come up; none in fair weather.
    pub faults: Vec<Fault>,
    /// How many of a hundred requests meet one.
    pub percent: u64,
    /// How many requests in a row meet one at most, so that pauses between tries stay short.
    pub in_a_row_max: u64,
    /// What the dice are made of.
    pub seed: u64,
}

/// The weather as it goes on.
#[derive(Debug)]
pub(super) struct Sky {
    weather: Weather,
    rng: Rng,
    in_a_row: u64,
}

impl Sky {
    pub(super) fn new(weather: Weather) -> Sky {
        Sky { rng: Rng::of(&[weather.seed]), weather, in_a_row: 0 }
    }

    /// What the next request meets.
    pub(super) fn next(&mut self) -> Option<Fault> {
        let hit = !self.weather.faults.is_empty()
            && self.in_a_row < self.weather.in_a_row_max
            && self.rng.percent(self.weather.percent);
        self.in_a_row = if hit { self.in_a_row + 1 } else { 0 };
        hit.then(|| *self.rng.pick(&self.weather.faults))
    }

    /// A number for whatever a fault has to choose.
    pub(super) fn choose(&mut self, end: u64) -> u64 {
        self.rng.below(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fair_weather_has_no_faults_and_foul_weather_pauses() {
        let mut fair = Sky::new(Weather::default());
        assert!((0..100).all(|_| fair.next().is_none()));
        let weather = Weather { faults: vec![Fault::Slow], percent: 100, in_a_row_max: 3, seed: 1 };
        let mut foul = Sky::new(weather);
        let met: Vec<bool> = (0..8).map(|_| foul.next().is_some()).collect();
        assert_eq!(met, [true, true, true, false, true, true, true, false]);
    }
}
