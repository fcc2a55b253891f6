//! What may stand as a value in a macro: amounts to count, measures to set or observe, values of dimensions and of
//! fields. Each is turned into a small value on the caller's stack; nothing is copied or formatted before the level
//! and the switch have been looked at.

use std::fmt::{Debug, Display};
use std::time::Duration;

use super::Id;
use crate::model::Unit;

/// A number that a counter can count up by.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be counted",
    label = "a counter counts up by a whole number: u8, u16, u32, u64 or usize",
    note = "for values that go up and down use `gauge!`, for sizes and durations `histogram!`"
)]
pub trait Amount {
    /// How much to count.
    fn amount(self) -> u64;
}

/// A number that a gauge can be set to or a histogram can observe.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a number that can be measured",
    label = "expected an integer, a float or a `Duration`"
)]
pub trait Measure {
    /// The value, in this unit where the type knows its own.
    fn measure(self, unit: Unit) -> f64;
}

/// The value of a dimension.
#[derive(Clone, Copy)]
pub enum Label<'a> {
    /// Text.
    Str(&'a str),
    /// A whole number.
    U64(u64),
    /// A whole number that may be negative.
    I64(i64),
    /// True or false.
    Bool(bool),
    /// Whatever `Display` writes, captured with `%`.
    Display(&'a dyn Display),
}

/// A type whose values can be the value of a dimension.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the value of a dimension",
    label = "expected text, an integer or a bool",
    note = "write `\"Key\" => %value` to use its `Display`; keep the number of different values small"
)]
pub trait DimensionValue {
    /// How many values the type has; 0 where nobody counted them.
    #[doc(hidden)]
    const CARDINALITY: u32 = 0;

    /// The value, borrowed.
    fn label(&self) -> Label<'_>;

    /// What tells this way of numbering values from every other one; `None` where there is none.
    #[doc(hidden)]
    const ID: Option<&'static Id> = None;

    /// The number of the value, where they are counted.
    #[doc(hidden)]
    #[inline]
    fn index(&self) -> u32 {
        0
    }
}

/// The value of a field.
#[derive(Clone, Copy)]
pub enum Arg<'a> {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A signed integer.
    I64(i64),
    /// An unsigned integer.
    U64(u64),
    /// A floating point number.
    F64(f64),
    /// Text.
    Str(&'a str),
    /// Whatever `Display` writes, captured with `%`.
    Display(&'a dyn Display),
    /// Whatever `Debug` writes, captured with `?`.
    Debug(&'a dyn Debug),
}

/// A type whose values can be the value of a field.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the value of a field as it is",
    label = "expected text, a number, a bool or an `Option` of these",
    note = "write `%value` to capture its `Display`, `?value` to capture its `Debug`"
)]
pub trait FieldValue {
    /// The value, borrowed.
    fn field(&self) -> Arg<'_>;
}

macro_rules! unsigned {
    ($($t:ty)*) => {$(
        impl Amount for $t {
            #[inline]
            fn amount(self) -> u64 { self as u64 }
        }
        number!($t, U64, u64);
    )*};
}

macro_rules! number {
    ($t:ty, $variant:ident, $wide:ty) => {
        impl Measure for $t {
            #[inline]
            #[allow(clippy::cast_precision_loss, clippy::cast_lossless)]
            fn measure(self, _: Unit) -> f64 {
                self as f64
            }
        }
        impl DimensionValue for $t {
            #[inline]
            #[allow(clippy::cast_lossless)]
            fn label(&self) -> Label<'_> {
                Label::$variant(*self as $wide)
            }
        }
        impl FieldValue for $t {
            #[inline]
            #[allow(clippy::cast_lossless)]
            fn field(&self) -> Arg<'_> {
                Arg::$variant(*self as $wide)
            }
        }
    };
}

unsigned!(u8 u16 u32 u64 usize);
number!(i8, I64, i64);
number!(i16, I64, i64);
number!(i32, I64, i64);
number!(i64, I64, i64);
number!(isize, I64, i64);

macro_rules! float {
    ($($t:ty)*) => {$(
        impl Measure for $t {
            #[inline]
            #[allow(clippy::cast_lossless)]
            fn measure(self, _: Unit) -> f64 { self as f64 }
        }
        impl FieldValue for $t {
            #[inline]
            #[allow(clippy::cast_lossless)]
            fn field(&self) -> Arg<'_> { Arg::F64(*self as f64) }
        }
    )*};
}

float!(f32 f64);

impl Measure for Duration {
    /// In the site's unit if it is one of time, else in seconds.
    #[inline]
    fn measure(self, unit: Unit) -> f64 {
        match unit {
            Unit::Milliseconds => self.as_secs_f64() * 1e3,
            Unit::Microseconds => self.as_secs_f64() * 1e6,
            _ => self.as_secs_f64(),
        }
    }
}

macro_rules! text {
    ($($t:ty)*) => {$(
        impl DimensionValue for $t {
            #[inline]
            fn label(&self) -> Label<'_> { Label::Str(self.as_ref()) }
        }
        impl FieldValue for $t {
            #[inline]
            fn field(&self) -> Arg<'_> { Arg::Str(self.as_ref()) }
        }
    )*};
}

text!(str String Box<str> std::rc::Rc<str> std::sync::Arc<str> std::borrow::Cow<'_, str>);

/// The two values of a `bool`.
static BOOL: Id = Id::new();

impl DimensionValue for bool {
    const CARDINALITY: u32 = 2;
    const ID: Option<&'static Id> = Some(&BOOL);

    #[inline]
    fn label(&self) -> Label<'_> {
        Label::Bool(*self)
    }

    #[inline]
    fn index(&self) -> u32 {
        u32::from(*self)
    }
}

impl FieldValue for bool {
    #[inline]
    fn field(&self) -> Arg<'_> {
        Arg::Bool(*self)
    }
}

impl DimensionValue for char {
    #[inline]
    fn label(&self) -> Label<'_> {
        Label::Display(self)
    }
}

impl FieldValue for char {
    #[inline]
    fn field(&self) -> Arg<'_> {
        Arg::Display(self)
    }
}

impl<T: FieldValue> FieldValue for Option<T> {
    #[inline]
    fn field(&self) -> Arg<'_> {
        self.as_ref().map_or(Arg::Null, FieldValue::field)
    }
}

impl<T: DimensionValue + ?Sized> DimensionValue for &T {
    const CARDINALITY: u32 = T::CARDINALITY;
    const ID: Option<&'static Id> = T::ID;

    #[inline]
    fn label(&self) -> Label<'_> {
        (**self).label()
    }

    #[inline]
    fn index(&self) -> u32 {
        (**self).index()
    }
}

impl<T: FieldValue + ?Sized> FieldValue for &T {
    #[inline]
    fn field(&self) -> Arg<'_> {
        (**self).field()
    }
}

impl<T: Measure + Copy> Measure for &T {
    #[inline]
    fn measure(self, unit: Unit) -> f64 {
        (*self).measure(unit)
    }
}

impl<T: Amount + Copy> Amount for &T {
    #[inline]
    fn amount(self) -> u64 {
        (*self).amount()
    }
}
