//! Correlation: an id that everything recorded for one request has, on whatever thread or task. It never travels by
//! itself: it is a value, passed on and entered where the work goes on. Written and read as W3C Trace Context's
//! `traceparent`, so that it also crosses processes.

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;

use crate::clock;

use super::context::{self, Context, Entered, Within};

/// What events, and the slowest calls of a window, are recorded for: a trace's id of 128 bits, and within it the id of
/// the part of the work.
///
/// Events recorded while it is entered have the fields `correlation_id` and `span_id`. It is a value like any other:
/// pass it to a thread or a task, and enter it there.
///
/// ```
/// use ops_sdk::{Correlation, info};
///
/// let request = Correlation::new();
/// let _entered = request.enter();
/// info!("on this thread");
/// std::thread::spawn(move || request.run(|| info!("and on that one"))).join().ok();
/// let task = request.scope(async { info!("and wherever this is polled") });
/// # drop(task);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Correlation(Context);

impl Correlation {
    /// A new id, drawn at random.
    #[must_use]
    #[allow(clippy::new_without_default)] // a default is the same every time
    pub fn new() -> Correlation {
        let trace = u128::from(random()) << 64 | u128::from(random());
        Correlation(Context { trace, span: random(), ..Context::default() })
    }

    /// The correlation that this thread works for, if any.
    #[inline]
    #[must_use]
    pub fn current() -> Option<Correlation> {
        let current = context::current();
        (current.trace != 0).then_some(Correlation(current))
    }

    /// What whoever called sent along, in W3C Trace Context's header `traceparent`: its id goes on, and this is a new
    /// part of the work, whose parent is the caller's.
    ///
    /// ```
    /// use ops_sdk::Correlation;
    ///
    /// let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// let own = Correlation::from_traceparent(caller).unwrap_or_else(|_| Correlation::new());
    /// assert_eq!(own.id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    /// assert_eq!(own.parent_id(), Some(0x00f0_67aa_0ba9_02b7));
    /// ```
    ///
    /// # Errors
    ///
    /// If the header is not one that the specification allows; it says to begin a new trace then.
    pub fn from_traceparent(header: &str) -> Result<Correlation, TraceparentError> {
        header.parse()
    }

    /// The header to send along to whoever is called: `00-4bf92f35…-00f067aa…-01`.
    #[must_use]
    pub fn traceparent(&self) -> Traceparent {
        Traceparent(self.0)
    }

    /// A part of this work: the same id, a new span, whose parent is this one.
    #[must_use]
    pub fn child(&self) -> Correlation {
        Correlation(Context { span: random(), parent: self.0.span, ..self.0 })
    }

    /// The id that everything of it shares. Displayed as 32 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> CorrelationId {
        CorrelationId(self.0.trace)
    }

    /// The part of the work.
    #[must_use]
    pub fn span_id(&self) -> u64 {
        self.0.span
    }

    /// The part of the work that this is a part of, if any.
    #[must_use]
    pub fn parent_id(&self) -> Option<u64> {
        (self.0.parent != 0).then_some(self.0.parent)
    }

    /// Whether the caller's header said that it is traced there. It changes nothing here, and is passed on.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.0.sampled
    }

    /// Enters it on this thread, until the guard is dropped. Guards are dropped in the reverse of the order they came
    /// in, as they are at the end of a block. Do not keep one over an `.await`: use [`Correlation::scope`] there.
    #[inline]
    pub fn enter(&self) -> Entered {
        self.0.enter()
    }

    /// Runs `work` within it.
    #[inline]
    pub fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        let _entered = self.enter();
        work()
    }

    /// The same future, within it wherever it is polled: entered before each poll and left behind it.
    #[inline]
    pub fn scope<F: Future>(&self, future: F) -> Within<F> {
        context::within(self.0, future)
    }

    /// What a call begins that was asked to have a correlation: what it was given, else a part of the current one, else
    /// a new one.
    pub(super) fn for_call(given: Option<Correlation>) -> Correlation {
        let current = || Correlation::current().map(|current| current.child());
        given.or_else(current).unwrap_or_else(Correlation::new)
    }

    pub(super) fn context(self) -> Context {
        self.0
    }
}

/// A value that says what a call is done for: the argument of `#[instrumented(correlate = ..)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what a call is done for",
    label = "expected a `Correlation`, an `Option` of one, or what `Correlation::from_traceparent` returns"
)]
pub trait Correlate {
    /// The correlation, if there is one.
    fn correlation(self) -> Option<Correlation>;
}

impl Correlate for Correlation {
    fn correlation(self) -> Option<Correlation> {
        Some(self)
    }
}

impl Correlate for Option<Correlation> {
    fn correlation(self) -> Option<Correlation> {
        self
    }
}

impl Correlate for Result<Correlation, TraceparentError> {
    /// The specification says to begin a new trace where the header cannot be read.
    fn correlation(self) -> Option<Correlation> {
        self.ok()
    }
}

impl PartialEq for Correlation {
    /// By id and span.
    fn eq(&self, other: &Correlation) -> bool {
        (self.0.trace, self.0.span) == (other.0.trace, other.0.span)
    }
}

impl Eq for Correlation {}

/// A correlation's id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CorrelationId(u128);

impl CorrelationId {
    /// The id as a number; never 0.
    #[must_use]
    pub fn get(self) -> u128 {
        self.0
    }
}

impl fmt::Display for CorrelationId {
    /// 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A correlation as the header `traceparent` carries it; [`Correlation::traceparent`] makes it.
#[derive(Clone, Copy)]
pub struct Traceparent(Context);

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.0.trace, self.0.span, u8::from(self.0.sampled))
    }
}

impl fmt::Debug for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is wrong with a header `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceparentError {
    /// Not two, 32, 16 and two characters with dashes between them.
    #[error("traceparent is not version-trace-parent-flags of 2, 32, 16 and 2 digits")]
    Shape,
    /// A character is none of `0` … `9`, `a` … `f`.
    #[error("traceparent has a character that is no hexadecimal digit in small letters")]
    Digit,
    /// The version `ff`, which there never is.
    #[error("traceparent has the version ff")]
    Version,
    /// An id of zeros alone, which stands for none.
    #[error("traceparent has an id of zeros")]
    Zero,
}

impl FromStr for Correlation {
    type Err = TraceparentError;

    /// Reads a header as [`Correlation::from_traceparent`] does. A later version may have more behind the flags.
    fn from_str(header: &str) -> Result<Correlation, TraceparentError> {
        let bytes = header.trim_matches([' ', '\t']).as_bytes();
        let shape = |at: usize| bytes.get(at) == Some(&b'-');
        let later = bytes.get(55).is_none_or(|byte| *byte == b'-') && !bytes.starts_with(b"00");
        if !(shape(2) && shape(35) && shape(52) && (bytes.len() == 55 || bytes.len() > 55 && later)) {
            return Err(TraceparentError::Shape);
        }
        let [version, flags] = [0..2, 53..55].map(|place| hex(&bytes[place]));
        let [trace, parent] = [3..35, 36..52].map(|place| hex(&bytes[place]));
        let all = version.zip(flags).zip(trace.zip(parent)).ok_or(TraceparentError::Digit)?;
        let ((version, flags), (trace, parent)) = all;
        if version == 0xff {
            return Err(TraceparentError::Version);
        }
        let parent = u64::try_from(parent).unwrap_or(0); // 16 digits
        if trace == 0 || parent == 0 {
            return Err(TraceparentError::Zero);
        }
        let sampled = flags & 1 == 1;
        Ok(Correlation(Context { trace, span: random(), parent, sampled, ..Context::default() }))
    }
}

/// The number that these digits are; the specification has small letters alone.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

thread_local! {
    /// The state of this thread's generator, and its step; 0 until it is first used. The system gives both.
    static STATE: Cell<[u64; 2]> = const { Cell::new([0; 2]) };
}

/// In a child of `fork`: its ids are not those that the parent draws next. Async-signal-safe.
pub(super) fn forget_in_child() {
    STATE.set([0; 2]);
}

/// 64 random bits, never 0 (wyrand with a step of its own for each thread).
fn random() -> u64 {
    let [mut state, mut step] = STATE.get();
    if step == 0 {
        // A child of `fork` has the same random state in its thread as its parent.
        let (system, own) = (RandomState::new(), (std::process::id(), clock::ticks()));
        (state, step) = (system.hash_one((1_u8, own)), system.hash_one((2_u8, own)) | 1);
    }
    state = state.wrapping_add(step);
    STATE.set([state, step]);
    let wide = u128::from(state) * u128::from(state ^ 0xE703_7ED1_A0B4_28DB);
    #[allow(clippy::cast_possible_truncation)] // both halves are folded into one
    let folded = (wide >> 64) as u64 ^ wide as u64;
    folded.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_header_is_read_and_goes_on() {
        let ours = Correlation::from_traceparent(HEADER).expect("a good header");
        assert_eq!(ours.id().get(), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!((ours.parent_id(), ours.is_sampled()), (Some(0x00f0_67aa_0ba9_02b7), true));
        let sent = ours.traceparent().to_string();
        assert_eq!(sent, format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{:016x}-01", ours.span_id()));
        let theirs: Correlation = sent.parse().expect("what is sent can be read");
        assert_eq!((theirs.id(), theirs.parent_id()), (ours.id(), Some(ours.span_id())));
    }

    #[test]
    fn headers_follow_the_specification() {
        use TraceparentError::{Digit, Shape, Version, Zero};
        let (t, p) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let good = [
            HEADER.to_owned(),
            format!(" 00-{t}-{p}-00\t"),
            format!("cc-{t}-{p}-ff"),
            format!("01-{t}-{p}-00-more"),
        ];
        for header in good {
            assert!(header.parse::<Correlation>().is_ok(), "{header}");
        }
        let bad = [
            (String::new(), Shape),
            ("00".to_owned(), Shape),
            (format!("00-{t}-{p}"), Shape),
            (format!("00-{t}-{p}-01-more"), Shape),
            (format!("00-{t}-{p}-01more"), Shape),
            (format!("01-{t}-{p}-01more"), Shape),
            (format!("00_{t}_{p}_01"), Shape),
            (format!("00-{t}{p}-01"), Shape),
            (format!("00-{}-{p}-01", t.to_uppercase()), Digit),
            (format!("00-{t}-{p}-0g"), Digit),
            (format!("zz-{t}-{p}-00"), Digit),
            (format!("ff-{t}-{p}-00"), Version),
            (format!("00-{}-{p}-01", "0".repeat(32)), Zero),
            (format!("00-{t}-{}-01", "0".repeat(16)), Zero),
            ("é".repeat(40), Shape),
        ];
        for (header, error) in bad {
            assert_eq!(header.parse::<Correlation>().map(drop), Err(error), "{header}");
        }
    }

    #[test]
    fn ids_are_new_on_every_thread() {
        let drawn = || (0..1000).map(|_| Correlation::new().id()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(drawn)).collect();
        let mut all: Vec<_> = threads.into_iter().flat_map(|t| t.join().expect("a thread ends")).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 4000);
    }

    #[test]
    fn a_call_goes_on_with_what_it_is_given_or_what_there_is() {
        let given = Correlation::new();
        assert_eq!(Correlation::for_call(Some(given)), given);
        assert!(Correlation::current().is_none());
        given.run(|| {
            let part = Correlation::for_call(None);
            assert_eq!((part.id(), part.parent_id()), (given.id(), Some(given.span_id())));
            assert_eq!(Correlation::current(), Some(given));
        });
        assert_ne!(Correlation::for_call(None).id(), given.id());
    }
}
