//! The attribute and the macros of `ops-sdk`. Use them through it.
//!
//! Each goes the same way: `parse` turns tokens into a `model`, `check` says what is allowed, `expand` writes the code;
//! if any of them fails, `fallback` keeps the user's item and shows one error at the token that is to blame.

mod check;
mod expand;
mod fallback;
mod model;
mod parse;

use proc_macro::TokenStream;

use crate::model::{Level, MetricKind};

/// Counts something that happened: `counter!("name", amount, options, dimensions)`.
///
/// ```
/// use ops_sdk::counter;
///
/// # let (region, tier, bytes) = ("eu-west-1", 2, [0u8; 4]);
/// counter!("orders.accepted", 1);
/// counter!("bytes.read", bytes.len(), unit = Bytes);
/// counter!("orders.accepted", 1, resolution = high, "Region" => region, "Tier" => %tier);
/// ```
///
/// The arguments come in this order, and in no other:
///
/// - **name**: a string literal of 1-255 printable ASCII characters that does not begin with a colon and has no space
///   at either end.
/// - **amount**: `u8`, `u16`, `u32`, `u64` or `usize`; a bare literal is an `u64`. An increment is an addition in
///   place: however many there are, none is lost.
/// - **`unit = Unit`**: a variant of `ops_sdk::Unit`. A counter without one has `Count`.
/// - **`resolution = high`** or **`standard`**: whether CloudWatch keeps it by the second or, as it does if nothing is
///   said, by the minute.
/// - **`series_max = 50`**: how many series the metric may have, 1,000 if nothing is said. The program is not built if
///   the dimensions whose types are known to have so many values (enums with [`#[derive(Dimensions)]`](derive@Dimensions),
///   `bool`) make more series than that. What text and numbers add is bounded when it runs, by this or, if nothing is
///   said, by `Builder::series_max`: on each thread, further series share one whose dimensions all have the value
///   `ops.overflow`, and the metric `ops_sdk.series_overflow` counts what went there, by `Metric`.
/// - **`rollup = [[], ["Key"]]`**: the metric is told also without its dimensions, and by these alone. Each such series
///   is whole: it holds what all series that it stands for hold together. It costs the call nothing, for it is added
///   up when the window closes. Of a gauge it has all samples, and as its last value the one that was set last.
/// - **`"Key" => value`**: up to 30 dimensions. The key is a string literal of 1-250 printable ASCII characters. The
///   value is text, an integer, a `bool`, an enum with `#[derive(Dimensions)]`, or with `%value` whatever its `Display`
///   writes. Every combination of values is a series of its own, so keep their number small.
/// - **`..values as Type`** or **`..Type { field: value }`**: the dimensions of a struct with `#[derive(Dimensions)]`.
///
/// These are the rules of CloudWatch, and they are checked at compile time.
///
/// The arguments are evaluated only while something records, so leave nothing to them that has to happen. A library
/// may use the macro without ever starting the SDK. The value of the macro is `()`.
#[proc_macro]
pub fn counter(input: TokenStream) -> TokenStream {
    metric(MetricKind::Counter, input)
}

/// Sets a gauge, a level that goes up and down: `gauge!("name", value, options, dimensions)`.
///
/// ```
/// use ops_sdk::gauge;
///
/// # let (queue, disk) = ([0u8; 3], 71.5);
/// gauge!("queue.depth", queue.len());
/// gauge!("disk.used", disk, unit = Percent, "Device" => "nvme0");
/// ```
///
/// The value is any integer or float up to 64 bits, or a `Duration`. Options and dimensions are those of
/// [`counter!`](macro@counter), as are the rules for names; without a unit it has `None`. A value that CloudWatch
/// would refuse (NaN, infinite, beyond ±2^360) is not recorded but counted as lost.
#[proc_macro]
pub fn gauge(input: TokenStream) -> TokenStream {
    metric(MetricKind::Gauge, input)
}

/// Observes one value of a distribution: `histogram!("name", value, options, dimensions)`.
///
/// ```
/// use ops_sdk::histogram;
///
/// # let (body, started) = ([0u8; 3], std::time::Instant::now());
/// histogram!("payload", body.len(), unit = Bytes);
/// histogram!("query", started.elapsed(), unit = Milliseconds, "Table" => "orders");
/// ```
///
/// The value is any integer or float up to 64 bits, or a `Duration`, which is recorded in the unit that is given if
/// that is one of time, else in seconds. Options and dimensions are those of [`counter!`](macro@counter), as are the
/// rules for names; without a unit it has `None`.
#[proc_macro]
pub fn histogram(input: TokenStream) -> TokenStream {
    metric(MetricKind::Histogram, input)
}

/// Logs an event of level `TRACE`: every step. The arguments are those of [`info!`](macro@info).
///
/// ```
/// # let step = 3;
/// ops_sdk::trace!("at {step}");
/// ```
#[proc_macro]
pub fn trace(input: TokenStream) -> TokenStream {
    event(Level::Trace, input)
}

/// Logs an event of level `DEBUG`: for those who look for a fault. The arguments are those of [`info!`](macro@info).
///
/// ```
/// # let answer = [1, 2];
/// ops_sdk::debug!("answered", bytes = answer.len(), ?answer);
/// ```
#[proc_macro]
pub fn debug(input: TokenStream) -> TokenStream {
    event(Level::Debug, input)
}

/// Logs an event of level `INFO`, the normal course of things: `info!("template", fields)`.
///
/// ```
/// use ops_sdk::info;
///
/// # struct Order { id: u64 }
/// # let (order, amount, user) = (Order { id: 7 }, 12.5, std::net::Ipv4Addr::LOCALHOST);
/// # let outcome = Ok::<u8, ()>(1);
/// info!("charged {amount}", amount, order.id = order.id);
/// info!("charged {amount:.2}");                              // `amount` becomes a field, with all its digits
/// info!("settled", %user, outcome = ?outcome, "any key" = 1);
/// ```
///
/// **Fields** are typed: numbers stay numbers all the way to the backend.
///
/// | written | the key | the value |
/// |---|---|---|
/// | `name`, `%name`, `?name` | `name` | the variable |
/// | `name = value`, `order.id = value`, `"any key" = value` | as written | the expression |
/// | `.. = %value` or `%name` | | the text of its `Display` |
/// | `.. = ?value` or `?name` | | the text of its `Debug` |
///
/// `ops_sdk::redact(value)` as a value shows `[redacted]`, as does a field of the type `ops_sdk::Secret`.
///
/// Without a sign a value is text, a `bool`, a `char`, a number, or an `Option` of these. A key has 1-255 characters,
/// is given once, and is none of `time`, `level`, `target`, `message`, `id`, `file`, which belong to the event. An
/// event has at most 64 fields.
///
/// **The template** is a string literal. `{name}` is the text of the field with that key; if there is none, the
/// variable of that name becomes one, by its `Debug` if the template asks for nothing else (`{error:?}`). `{name:spec}`
/// formats by the rules of `std::fmt`; `{{` and `}}` are braces. There are no placeholders by position.
///
/// **Limits** of this one site may stand before the template:
///
/// ```
/// use ops_sdk::{info, warn};
///
/// # let (queue, state) = ("orders", "degraded");
/// warn!(rate = 10, "{queue} is slow");             // at most 10 in a second
/// warn!(once_every = "10s", "{queue} is full");    // at most one in 10 s; `ms`, `s`, `m`, `h`, up to 24 h
/// info!(repeat = "5m", "{queue} is {state}");      // the same again within 5 min is told once
/// ```
///
/// A second, or a period, begins with an event that passes. What does not pass is not evaluated, and costs a reading of
/// the clock. `repeat` compares an event with the one before it at this site, values and all; that is done by another
/// thread, so it spares what is shipped and not the call. Either way it is said, as an event of the same site, level
/// and module, "12 events of this site held back in the last 10 s", with the number in the field `held_back`, and it is
/// counted in the books as withheld, not as lost. Without these there is no limit.
///
/// Nothing is evaluated or formatted while the level is off; while it is on, every expression is evaluated once. The
/// value of the macro is `()`.
#[proc_macro]
pub fn info(input: TokenStream) -> TokenStream {
    event(Level::Info, input)
}

/// Logs an event of level `WARN`: someone should look. The arguments are those of [`info!`](macro@info).
///
/// ```
/// # let left = 3;
/// ops_sdk::warn!("{left} attempts left", queue.name = "orders");
/// ```
#[proc_macro]
pub fn warn(input: TokenStream) -> TokenStream {
    event(Level::Warn, input)
}

/// Logs an event of level `ERROR`: someone must look. The arguments are those of [`info!`](macro@info).
///
/// ```
/// # let error = std::fmt::Error;
/// ops_sdk::error!("not charged: {error}", %error);
/// ```
#[proc_macro]
pub fn error(input: TokenStream) -> TokenStream {
    event(Level::Error, input)
}

/// Measures the calls of a function: how many there are, how many fail, and how long they take.
///
/// ```
/// use ops_sdk::instrumented;
///
/// # struct Order { amount: u64 }
/// /// Takes the money.
/// #[instrumented]
/// fn charge(order: &Order) -> Result<u64, std::num::TryFromIntError> {
///     let cents = u32::try_from(order.amount)?;
///     Ok(cents.into())
/// }
///
/// #[instrumented(name = "fetch")]
/// async fn fetch_order(id: u64) -> Option<Order> {
///     Some(Order { amount: id })
/// }
///
/// #[instrumented]
/// impl Order {
///     fn settle(&mut self) {
///         self.amount = 0;
///     }
///
///     #[instrumented(skip)]
///     fn amount(&self) -> u64 {
///         self.amount
///     }
/// }
/// # assert!(charge(&Order { amount: 1 }).is_ok());
/// # let _ = fetch_order(1);
/// # let mut order = Order { amount: 1 };
/// # order.settle();
/// # order.amount();
/// ```
///
/// It goes on functions and methods, `async` or not, and on whole `impl` blocks, of types and of traits, where it
/// measures every function that has a body. What a block says holds for all its methods, and a method's own arguments
/// win over it:
///
/// ```
/// # use ops_sdk::instrumented;
/// # struct Till(u64);
/// #[instrumented(in_flight, unit = Microseconds, log = "error", err_if = Option::is_none)]
/// impl Till {
///     fn next(&mut self) -> Option<u64> {
///         self.0 = self.0.checked_sub(1)?;
///         Some(self.0)
///     }
///
///     #[instrumented(sample = 16, in_flight = false, log = "off")]
///     fn last(&self) -> Option<u64> {
///         Some(self.0)
///     }
/// }
/// # assert_eq!((Till(2).next(), Till(0).next(), Till(1).last()), (Some(1), None, Some(1)));
/// ```
///
/// A block can say `in_flight`, `unit`, `resolution`, `sample`, `log`, `level`, `ok_if`, `err_if` and `none`. A condition
/// is asked of the methods that return something which can be looked at, `none` of those that return an `Option`. A
/// method turns off what it does not want by `in_flight = false` and `log = "off"`, or by `skip` altogether.
///
/// **Endings.** A call that returns `Err` is an error; so is one that panics. Whatever is not a `Result` is a success.
/// A type can say more: if what is returned, or the error of a `Result`, implements `ops_sdk::Outcome`, which can be
/// derived, it is asked. An error of whoever called counts in `client_errors` and not in `errors`, and an ending with
/// a label counts also in `outcomes`, by `Function` and `Outcome`. What the function itself says wins over the type:
///
/// ```
/// # use ops_sdk::instrumented;
/// #[instrumented(ok_if = |status| *status < 500)]
/// fn forward(request: &str) -> u16 {
///     if request.is_empty() { 400 } else { 200 }
/// }
///
/// #[instrumented(none = client)]
/// fn find(word: &str) -> Option<usize> {
///     "a few words".find(word)
/// }
/// # assert_eq!((forward(""), find("few")), (400, Some(2)));
/// ```
///
/// **Name.** The calls are told apart by the dimension `Function`, which is the path of the function:
/// `shop::charge`, and in an annotated block `shop::Order::settle`. A method that carries the attribute itself cannot
/// see its type and is `shop::settle`. The first paragraph of the doc comment goes with it.
///
/// | argument | on | |
/// |---|---|---|
/// | `name = "..."` | a function or method | the whole value of `Function`, in place of the path: 1-1024 printable ASCII characters |
/// | `skip` | a method of an annotated block | leaves it as it is |
/// | `ok_if = condition`, `err_if = condition` | a function, a method or a block | a closure or the path of a function that looks at what is returned: a success (or an error) if it says `true`, else the other |
/// | `none = ok`, `= error`, `= client` | what returns an `Option`, or a block | what `None` is |
/// | `dims("Key" => value, ..)` | a function or method | more dimensions of all its metrics but `in_flight`: up to 28, by the rules of [`counter!`](macro@counter) |
/// | `series_max = 50`, `rollup = [[], ["Key"]]` | a function or method with `dims` | as in [`counter!`](macro@counter); of a rollup `Function` stays |
/// | `in_flight` | a function, a method or a block | the gauge `in_flight` by `Function`: how many calls are in progress |
/// | `unit = Seconds`, `Milliseconds`, `Microseconds` | a function, a method or a block | the unit of `duration`, which is milliseconds if nothing is said |
/// | `resolution = high` or `standard` | a function, a method or a block | whether CloudWatch keeps its metrics by the second or by the minute |
/// | `sample = 16` | a function, a method or a block | all calls are counted, and one in 16 is timed |
/// | `log = "entry, exit, error"` | a function, a method or a block | which log lines it writes: one of these, or more with commas |
/// | `level = debug` | what logs | the level of the lines but those of errors; `info` if nothing is said |
/// | `fields(name = value, ..)` | a function or method that logs | up to 16 fields of its log lines, written as in [`info!`](macro@info) |
/// | `correlate`, `correlate = value` | a function or method | what is recorded in the call has a correlation: the value, else a part of the one there is, else a new one |
/// | `hold = debug` | a function or method | events of this level and lesser ones are shipped only if the call fails: `trace`, `debug`, `info` or `warn` |
/// | `busy` | an async function or method | the histogram `busy` by `Function`: the time inside the polls of each call |
///
/// **Dimensions.** The values are taken when the call begins, before the body can move the arguments, and only while
/// something records. Every combination of values is a series of its own, so keep their number small. The metrics have
/// no series without them.
///
/// **Calls in progress** are exact over all threads: a call that panics has ended, and so has a future that was
/// dropped. In each window the gauge has three samples: the fewest, the most, and the last number; so its `Maximum` is
/// the peak. Threads share the number, so it costs more than a count when many are in the same function.
///
/// **Log lines.** `entry` logs `settle began`; `exit` logs `settle ended` for every call, well or not; `error` logs
/// `settle failed` at level `ERROR`, for calls that are errors or panic, which `exit` then does not log again. Behind
/// the fields, the field `outcome` says how the call ended: its label, or `ok`, `error`, `client error`, `panic`,
/// `cancelled`. No argument is logged that is not named in `fields`. They are taken once for the beginning and once for
/// the end of the call, both before the body can move the arguments, and only while the level is on. Text of up to 46
/// bytes is kept for the end without an allocation.
///
/// ```
/// # use ops_sdk::instrumented;
/// # struct Order { id: u64, card: String }
/// #[instrumented(log = "error", fields(order.id = order.id))]
/// fn pay(order: Order) -> Result<(), String> {
///     if order.card.is_empty() { Err("no card".to_owned()) } else { Ok(()) }
/// }
/// # assert!(pay(Order { id: 7, card: String::new() }).is_err());
/// ```
///
/// **Correlation.** The value is an `ops_sdk::Correlation`, an `Option` of one, or what `Correlation::from_traceparent`
/// returns. It is entered for the call; in a future, for each of its polls and when it is dropped. Pass
/// `Correlation::current()` on by value to threads and tasks that the call begins.
///
/// **Holding back.** Within the call events up to the level are recorded also where they are off, and kept until the call
/// ends: an error or a panic ships them, with the time they happened; anything else, a future that was dropped included,
/// lets go of them, counted. So does what other threads and tasks record within the call's correlation. Where such
/// calls are nested, one that ends well leaves its events to the one around it. What is kept is bounded
/// (`Builder::held_bytes_max`); at the bound the oldest go, counted. Log lines of the call are held back like others.
///
/// ```
/// # use ops_sdk::prelude::*;
/// #[instrumented(correlate = Correlation::from_traceparent(header), hold = debug, busy)]
/// async fn handle(header: &str, order: u64) -> Result<u64, String> {
///     debug!("asked for {order}"); // shipped only if this call fails
///     if order == 0 { Err("no such order".to_owned()) } else { Ok(order) }
/// }
/// # drop(handle("", 7));
/// ```
///
/// **Busy time** has the unit and resolution of `duration`, and no other dimension than `Function`. It takes two readings
/// of the clock at each poll, which is why it has to be asked for; `duration` takes two in all.
///
/// **Sampling.** Which calls are timed is left to chance, and each of them stands in `duration` for as many as it was
/// chosen among: so percentiles, average, sample count and sum of `duration` are unbiased estimates for all calls. A
/// call that is not timed does not read the clock, which is most of what measuring costs. `calls`, `errors` and all
/// other counts stay exact. `Builder::overhead_budget` does the same to whatever is called too often to be timed each
/// time.
///
/// ```
/// # use ops_sdk::instrumented;
/// # struct Order { region: String, lines: Vec<u64> }
/// #[instrumented(in_flight, dims("Region" => order.region, "Big" => order.lines.len() > 100))]
/// fn settle(order: Order) -> u64 {
///     order.lines.into_iter().sum()
/// }
///
/// #[instrumented(sample = 16, unit = Microseconds)]
/// fn hash(n: u64) -> u64 {
///     n.wrapping_mul(0x9E37_79B9_7F4A_7C15)
/// }
/// # assert_eq!(settle(Order { region: "eu".to_owned(), lines: vec![hash(0)] }), 0);
/// ```
///
/// **Futures.** An async function is measured from its first poll until it is done or dropped. So is the block of a
/// function that ends in `async move { .. }` or `Box::pin(async move { .. })`, as `async_trait` writes it. Any other
/// function that returns a future is measured until it returns it.
///
/// Signature, attributes and visibility stay as they were, and nothing is boxed. The body moves into a closure or an
/// async block, which shows in one place: a panic in a `#[track_caller]` function names the function and not its
/// caller. A `const fn` cannot be measured, nor can a function without a body.
#[proc_macro_attribute]
pub fn instrumented(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let item = parse::visible(item.into());
    let expanded = parse::options(arguments.into())
        .and_then(|options| expand::item(&options, syn::parse2(item.clone())?));
    expanded.unwrap_or_else(|error| fallback::item(item, &error)).into()
}

/// Lets a type tell how a call ended that returned it, or returned it as the error of a `Result`.
///
/// ```
/// use ops_sdk::prelude::*;
///
/// #[derive(Outcome)]
/// enum ChargeError {
///     #[outcome(client, label = "declined")]
///     Declined { reason: String },
///     #[outcome(client)]
///     NoSuchOrder(u64),
///     #[outcome(error, label = "bank unreachable")]
///     Bank(std::io::Error),
///     #[outcome(ok)]
///     AlreadyCharged,
/// }
///
/// #[instrumented]
/// fn charge(order: u64) -> Result<u32, ChargeError> {
///     Err(ChargeError::NoSuchOrder(order)) // counts in `calls` and in `client_errors`, not in `errors`
/// }
/// # assert!(charge(7).is_err());
/// ```
///
/// It goes on enums and structs. `#[outcome(..)]` on a variant, or on the type for all variants that have none, says:
///
/// - **`ok`**, **`error`** or **`client`**: a success, an error, or an error of whoever called, which counts in the
///   metric `client_errors` and not in `errors`.
/// - **`label = "..."`**: counts such endings also in the metric `outcomes`, by the dimensions `Function` and
///   `Outcome`. A label is a value of a dimension: 1-1024 printable ASCII characters.
#[proc_macro_derive(Outcome, attributes(outcome))]
pub fn outcome(input: TokenStream) -> TokenStream {
    let outcomes = parse::outcomes(parse::visible(input.into()));
    let expanded =
        outcomes.and_then(|outcomes| check::outcomes(&outcomes).map(|()| expand::outcomes(&outcomes)));
    expanded.unwrap_or_else(|error| fallback::expression(&error)).into()
}

/// Gives a type dimensions of which the compiler knows all values.
///
/// ```
/// use ops_sdk::prelude::*;
///
/// #[derive(Clone, Copy, Dimensions)]
/// #[dimension(rename_all = "kebab-case")]
/// enum Tier {
///     Free,
///     PaidYearly,
/// }
///
/// #[derive(Dimensions)]
/// struct Customer {
///     tier: Tier,
///     #[dimension(rename = "Returning")]
///     returning: bool,
/// }
///
/// # let customer = Customer { tier: Tier::PaidYearly, returning: false };
/// counter!("logins", 1, "Tier" => customer.tier);        // Tier = paid-yearly
/// counter!("orders", 1, ..customer as Customer);         // tier = paid-yearly, Returning = false
/// counter!("visits", 1, rollup = [["Tier"]], "Tier" => Tier::Free, "New" => true);
/// ```
///
/// It goes on enums whose variants hold nothing, which are the values of one dimension, and on structs with named
/// fields, each of which is a `bool` or such an enum and a dimension of its own.
///
/// - The value of a variant is its name as it is written, and so is the key of a field; the key of an enum, where it is
///   given as `..value as Type`, is the name of the type.
/// - **`#[dimension(rename = "...")]`** on a variant, a field or an enum: another text, by CloudWatch's rules.
/// - **`#[dimension(rename_all = "...")]`** on the type, for its variants or fields: `lowercase`, `snake_case`,
///   `SCREAMING_SNAKE_CASE`, `kebab-case`, `camelCase` or `PascalCase`.
///
/// Where every dimension of a metric is of such a type, a `bool` or a literal, its series are found by number, which
/// costs little more than a metric without dimensions.
#[proc_macro_derive(Dimensions, attributes(dimension))]
pub fn dimensions(input: TokenStream) -> TokenStream {
    let set = parse::dimension_set(parse::visible(input.into()));
    let expanded = set.and_then(|set| check::dimension_set(&set).map(|()| expand::dimension_set(&set)));
    expanded.unwrap_or_else(|error| fallback::expression(&error)).into()
}

/// Makes a struct a record of a unit of work, such as a request or a job: its fields are metrics, dimensions and fields
/// of a log line, and are recorded together, once, when it is done.
///
/// ```
/// use std::time::Duration;
///
/// use ops_sdk::Timer;
/// use ops_sdk::prelude::*;
///
/// #[derive(Clone, Copy, Dimensions)]
/// enum Operation {
///     Get,
///     Put,
/// }
///
/// #[derive(Default, Record)]
/// struct Database {
///     #[record(counter)]
///     queries: u32,
///     #[record(histogram)]
///     waited: Duration,
/// }
///
/// #[derive(Record)]
/// #[record(prefix = "request.", rollup = [[], ["Operation"]], log = "request handled")]
/// struct Request<'a> {
///     #[record(dimension, name = "Operation")]
///     operation: Operation,
///     #[record(dimension, name = "Status")]
///     status: u16,
///     #[record(histogram)]
///     took: Timer,
///     #[record(histogram, unit = Bytes)]
///     answer: Option<usize>,
///     #[record(flatten, prefix = "db.")]
///     database: Database,
///     #[record(field, name = "request.id")]
///     id: &'a str,
/// }
///
/// fn handle(id: &str) -> usize {
///     let (operation, took, database) = (Operation::Get, Timer::start(), Database::default());
///     let mut request = Request { operation, status: 500, took, answer: None, database, id }.on_drop();
///     request.database.queries += 1;
///     (request.status, request.answer) = (200, Some(1432));
///     1432
/// } // here it is recorded: request.took, request.answer, request.db.queries, request.db.waited, and a log line
/// # handle("r-7");
/// ```
///
/// A record is written by its method `record`, or by the guard that `on_drop` makes. Each of its metrics has all of
/// its dimensions. Nothing is allocated, and the values are read where they lie. The rules for names, keys and units
/// are those of [`counter!`](macro@counter), and they are checked at compile time, through everything that is flattened.
///
/// | on a field | |
/// |---|---|
/// | `counter` | a metric that counts up by it |
/// | `gauge`, `histogram` | a metric that is set to it, or observes it: a number, a `Duration` or a `Timer` |
/// | `dimension` | a dimension of all metrics, as in [`counter!`](macro@counter) |
/// | `dimensions` | those of a struct with [`#[derive(Dimensions)]`](derive@Dimensions) |
/// | `field`, `display`, `debug` | a field of the log line: the value, or the text of its `Display` or `Debug` |
/// | `flatten` | another record, whose metrics and fields become this one's; it has no dimensions of its own |
/// | `skip` | nothing that is recorded |
///
/// An `Option` of a metric, or of what is flattened, is left out while it is `None`. Behind the first word stand, where
/// they have a meaning, `name = "..."` (else it is the name of the field), `unit = Bytes`, `resolution = high`, and for
/// `flatten` `prefix = "..."`. A counter without a unit has `Count`; a `Duration` or `Timer` has `Milliseconds`.
///
/// | on the struct | |
/// |---|---|
/// | `prefix = "..."` | what the names of its metrics and fields begin with |
/// | `rename_all = "..."` | how names that are not given are written, as in [`Dimensions`](derive@Dimensions) |
/// | `resolution = high` or `standard` | of all its metrics that say nothing else |
/// | `log = "..."`, `level = debug` | a log line with this message, of level `info` if nothing is said; its fields are the dimensions, the metrics and the fields, up to 64 |
/// | `series_max = 50`, `rollup = [[], ["Key"]]` | as in [`counter!`](macro@counter), for each of its metrics |
///
/// Fields of a record without a `log` are for the line of the record that it is flattened into. The type may have
/// lifetimes, and no other parameters.
#[proc_macro_derive(Record, attributes(record))]
pub fn record(input: TokenStream) -> TokenStream {
    let record = parse::record(parse::visible(input.into()));
    let expanded = record.and_then(|record| check::record(&record).map(|()| expand::record(&record)));
    expanded.unwrap_or_else(|error| fallback::expression(&error)).into()
}

fn metric(kind: MetricKind, input: TokenStream) -> TokenStream {
    let metric = parse::metric(kind, parse::visible(input.into()));
    let expanded = metric.and_then(|metric| check::metric(&metric).map(|()| expand::metric(&metric)));
    expanded.unwrap_or_else(|error| fallback::expression(&error)).into()
}

fn event(level: Level, input: TokenStream) -> TokenStream {
    let event = parse::event(level, parse::visible(input.into()));
    let expanded = event.and_then(|event| check::event(&event).map(|()| expand::event(&event)));
    expanded.unwrap_or_else(|error| fallback::expression(&error)).into()
}
