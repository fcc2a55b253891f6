//! CloudWatch's units, which are the units of metrics everywhere here. Source: the enum `StandardUnit` of the service
//! model `cloudwatch/2010-08-01` (botocore 1.44.5).

use std::fmt;
use std::str::FromStr;

macro_rules! units {
    ($($variant:ident => $name:literal,)*) => {
        /// The unit of a metric. CloudWatch never converts: the same name under two units is two series.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        #[allow(missing_docs)] // the name is all there is to say
        pub enum Unit { $($variant,)* }

        impl Unit {
            /// Every unit, in the order of its number.
            pub const ALL: &'static [Unit] = &[$(Unit::$variant,)*];

            /// The unit as CloudWatch spells it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Unit::$variant => $name,)* }
            }
        }
    };
}

units! {
    None => "None",
    Count => "Count",
    Percent => "Percent",
    Seconds => "Seconds",
    Milliseconds => "Milliseconds",
    Microseconds => "Microseconds",
    Bytes => "Bytes",
    Kilobytes => "Kilobytes",
    Megabytes => "Megabytes",
    Gigabytes => "Gigabytes",
    Terabytes => "Terabytes",
    Bits => "Bits",
    Kilobits => "Kilobits",
    Megabits => "Megabits",
    Gigabits => "Gigabits",
    Terabits => "Terabits",
    BytesPerSecond => "Bytes/Second",
    KilobytesPerSecond => "Kilobytes/Second",
    MegabytesPerSecond => "Megabytes/Second",
    GigabytesPerSecond => "Gigabytes/Second",
    TerabytesPerSecond => "Terabytes/Second",
    BitsPerSecond => "Bits/Second",
    KilobitsPerSecond => "Kilobits/Second",
    MegabitsPerSecond => "Megabits/Second",
    GigabitsPerSecond => "Gigabits/Second",
    TerabitsPerSecond => "Terabits/Second",
    CountPerSecond => "Count/Second",
}

impl Unit {
    /// The unit with this number, as frames store it.
    #[must_use]
    pub fn from_u8(number: u8) -> Option<Unit> {
        Unit::ALL.get(usize::from(number)).copied()
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Unit {
    type Err = String;

    /// Reads a unit as CloudWatch spells it.
    fn from_str(text: &str) -> Result<Unit, String> {
        let found = Unit::ALL.iter().copied().find(|unit| unit.name() == text);
        found.ok_or_else(|| format!("unknown unit \"{text}\""))
    }
}
