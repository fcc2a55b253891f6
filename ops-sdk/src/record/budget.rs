//! What the compiler refuses of a metric's dimensions: more combinations than its budget, and keys that come from a
//! type and do not fit beside the others. All of it runs while the program is compiled, and nothing of it afterwards.

use super::dimensions::Values;
use super::metric::DIMENSIONS_MAX;

/// What a metric may cost in series; a macro makes a type of its own for each use.
pub trait Budget {
    /// The name of the metric, or of the function.
    const METRIC: &'static str;
    /// How many series it may have.
    const SERIES_MAX: u32;
}

/// Room for a message.
const MESSAGE_BYTES: usize = 512;

/// Text that is put together by the compiler.
struct Message {
    bytes: [u8; MESSAGE_BYTES],
    len: usize,
}

impl Message {
    const fn text(mut self, text: &str) -> Message {
        let mut at = 0;
        while at < text.len() && self.len < MESSAGE_BYTES {
            self.bytes[self.len] = text.as_bytes()[at];
            (self.len, at) = (self.len + 1, at + 1);
        }
        self
    }

    const fn number(self, n: u64) -> Message {
        let (mut digits, mut at, mut rest) = ([b'0'; 20], 20, n);
        while rest > 0 || at == 20 {
            at -= 1;
            #[allow(clippy::cast_possible_truncation)] // a digit
            (digits[at] = b'0' + (rest % 10) as u8);
            rest /= 10;
        }
        let (_, digits) = digits.split_at(at);
        match str::from_utf8(digits) {
            Ok(digits) => self.text(digits),
            Err(_) => self,
        }
    }

    const fn as_str(&self) -> &str {
        let (text, _) = self.bytes.split_at(self.len);
        match str::from_utf8(text) {
            Ok(text) => text,
            Err(_) => "the dimensions exceed the budget", // the message was too long for its place
        }
    }
}

const fn message() -> Message {
    Message { bytes: [0; MESSAGE_BYTES], len: 0 }
}

/// Fails the compilation where the values that are known make more series than the budget allows.
///
/// # Panics
///
/// While compiling, if so.
pub(super) const fn within<B: Budget, V: Values>() {
    if V::KNOWN > B::SERIES_MAX as u64 {
        let message = message().text("`").text(B::METRIC).text("` can have ").number(V::KNOWN);
        let message = message.text(" series by the types of its dimensions, and its budget is ");
        let message = message
            .number(B::SERIES_MAX as u64)
            .text(": leave a dimension out, or raise it with `series_max = ");
        let message = message.number(V::KNOWN).text("`");
        panic!("{}", message.as_str());
    }
}

/// Several parts in one list, made of `blank` and overwritten.
///
/// # Panics
///
/// While compiling, if `N` is not the number of them all.
#[must_use]
pub const fn joined<T: Copy, const N: usize>(blank: T, parts: &[&[T]]) -> [T; N] {
    let (mut all, mut len, mut part) = ([blank; N], 0, 0);
    while part < parts.len() {
        let mut at = 0;
        while at < parts[part].len() {
            all[len] = parts[part][at];
            (len, at) = (len + 1, at + 1);
        }
        part += 1;
    }
    assert!(len == N);
    all
}

/// Fails the compilation where the keys of a set do not fit behind those that are given before it.
///
/// # Panics
///
/// While compiling, if so.
#[track_caller]
pub const fn fits(before: &[&[&'static str]], keys: &[&'static str], of_function: bool) {
    let mut count = keys.len() + if of_function { 2 } else { 0 };
    let mut part = 0;
    while part < before.len() {
        count += before[part].len();
        part += 1;
    }
    if count > DIMENSIONS_MAX {
        panic!("with these a metric has more than 30 dimensions");
    }
    let mut at = 0;
    while at < keys.len() {
        if of_function && (same(keys[at], "Function") || same(keys[at], "Outcome")) {
            panic!("the metrics of a function have `Function` and `Outcome` already");
        }
        if has(before, keys[at]) {
            refuse("the dimension \"", keys[at], "\" is already given");
        }
        at += 1;
    }
}

/// Fails the compilation where there is no dimension of this key.
///
/// # Panics
///
/// While compiling, if so.
#[track_caller]
pub const fn known(key: &str, parts: &[&[&'static str]]) {
    if !has(parts, key) {
        refuse("there is no dimension \"", key, "\" to keep");
    }
}

/// Fails the compilation with this message.
///
/// # Panics
///
/// While compiling.
#[track_caller]
pub(super) const fn refuse(before: &str, name: &str, after: &str) -> ! {
    panic!("{}", message().text(before).text(name).text(after).as_str())
}

pub(super) const fn has(parts: &[&[&str]], key: &str) -> bool {
    let mut part = 0;
    while part < parts.len() {
        let mut at = 0;
        while at < parts[part].len() {
            if same(parts[part][at], key) {
                return true;
            }
            at += 1;
        }
        part += 1;
    }
    false
}

/// `==`, which the compiler cannot run for text.
pub(super) const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_out() {
        for n in [0, 7, 10, 1000, u64::MAX] {
            assert_eq!(message().text("<").number(n).text(">").as_str(), format!("<{n}>"));
        }
        assert_eq!(message().text(&"x".repeat(MESSAGE_BYTES + 1)).as_str().len(), MESSAGE_BYTES);
    }

    #[test]
    fn keys_are_found_in_any_part() {
        let parts: &[&[&str]] = &[&["a", "bc"], &[], &["d"]];
        for (key, found) in
            [("a", true), ("bc", true), ("d", true), ("b", false), ("bcd", false), ("", false)]
        {
            assert_eq!(has(parts, key), found, "{key}");
        }
        assert_eq!(joined::<_, 3>("", parts), ["a", "bc", "d"]);
        assert_eq!(joined::<_, 2>(0, &[&[1], &[2]]), [1, 2]);
        fits(parts, &["e"], true);
        known("d", parts);
    }

    #[test]
    fn keys_that_do_not_fit_are_refused() {
        let many = ["x"; 29];
        let refused: [fn(&[&'static str]); 3] = [
            |_| fits(&[&["a"]], &["b", "a"], false),
            |_| fits(&[&["a"]], &["Outcome"], true),
            |many| fits(&[&["a", "b"]], many, false),
        ];
        for refuses in refused {
            assert!(std::panic::catch_unwind(|| refuses(&many)).is_err());
        }
        fits(&[&["a"]], &many, false);
    }
}
