//! What may stand before the message of a log macro: `rate = 10`, `once_every = "10s"`, `repeat = "10s"`.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{Error, LitInt, LitStr, Result, Token};

use crate::check::suggestion;
use crate::model::{Limit, Limits};

const NAMES: [&str; 3] = ["rate", "once_every", "repeat"];
const EXPECTED: &str =
    "`rate = 10` (events a second), `once_every = \"10s\"`, `repeat = \"10s\"`, or the message";
/// As many as the counter of a period holds.
const RATE_MAX: u32 = 1_000_000;
const DAY_MS: u32 = 24 * 3600 * 1000;

/// Parses `name = value,` as often as it stands there.
pub(super) fn limits(input: ParseStream<'_>) -> Result<Limits> {
    let mut limits = Limits::default();
    while input.peek(Ident::peek_any) && input.peek2(Token![=]) && !input.peek2(Token![==]) {
        limit(&mut limits, input)?;
        if !input.peek(Token![,]) {
            let message = format!("expected `,` and then {EXPECTED}");
            return Err(if input.is_empty() {
                Error::new(Span::call_site(), message)
            } else {
                input.error(message)
            });
        }
        input.parse::<Token![,]>()?;
    }
    Ok(limits)
}

fn limit(limits: &mut Limits, input: ParseStream<'_>) -> Result<()> {
    let name = input.call(Ident::parse_any)?;
    input.parse::<Token![=]>()?;
    let text = name.to_string();
    match text.as_str() {
        "rate" | "once_every" if limits.limit.is_some() => {
            let message = "the events of this site are limited already: keep one of `rate` and `once_every`";
            return Err(Error::new(name.span(), message));
        }
        "rate" => limits.limit = Some(Limit { events_max: rate(input)?, period_ms: 1000 }),
        "once_every" => limits.limit = Some(Limit { events_max: 1, period_ms: period(&name, input)? }),
        "repeat" if limits.repeat_ms.is_some() => {
            return Err(Error::new(name.span(), "`repeat` is given twice"));
        }
        "repeat" => limits.repeat_ms = Some(period(&name, input)?),
        _ => {
            let meant = suggestion(&text, NAMES.into_iter());
            let message = format!(
                "unknown argument `{text}`{meant}; before the message there may be {EXPECTED}; fields come after it"
            );
            return Err(Error::new(name.span(), message));
        }
    }
    Ok(())
}

fn rate(input: ParseStream<'_>) -> Result<u32> {
    let expected = format!("expected events a second, 1 to {RATE_MAX}, written out: `rate = 10`");
    if !input.peek(LitInt) {
        return Err(Error::new(super::next_span(input), expected));
    }
    let number: LitInt = input.parse()?;
    let rate = number.base10_parse::<u32>().ok().filter(|rate| (1..=RATE_MAX).contains(rate));
    rate.filter(|_| number.suffix().is_empty()).ok_or_else(|| Error::new(number.span(), expected))
}

fn period(name: &Ident, input: ParseStream<'_>) -> Result<u32> {
    let expected =
        format!("expected a time of 1 ms to 1 day with its unit (ms, s, m or h): `{name} = \"10s\"`");
    if !input.peek(LitStr) {
        return Err(Error::new(super::next_span(input), expected));
    }
    let text: LitStr = input.parse()?;
    milliseconds(&text.value()).ok_or_else(|| Error::new(text.span(), expected))
}

/// `500ms`, `10s`, `5m`, `1h`.
fn milliseconds(text: &str) -> Option<u32> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit.trim_start() {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let milliseconds = number.parse::<u32>().ok()?.checked_mul(unit_ms)?;
    (1..=DAY_MS).contains(&milliseconds).then_some(milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_number_and_a_unit() {
        let good = [
            ("500ms", 500),
            ("10s", 10_000),
            ("5 m", 300_000),
            ("1h", 3_600_000),
            ("24h", DAY_MS),
            ("1ms", 1),
        ];
        for (text, expected) in good {
            assert_eq!(milliseconds(text), Some(expected), "{text}");
        }
        for text in ["", "10", "s", "0s", "-1s", "1.5s", "25h", "1d", "10 seconds", "99999999999s", "s10"] {
            assert_eq!(milliseconds(text), None, "{text}");
        }
    }
}
