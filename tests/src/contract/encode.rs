//! What a backend writes: everything that a record says, read back by another parser, and never a panic.

use ops_sdk::chunk::Items;
use ops_sdk::limits::PushLimit;
use ops_sdk::model::{Record, Signal};
use proptest::test_runner::{Config, TestError, TestRunner};

use super::open::Opened;
use super::records::{self, Expected};
use super::{Case, Read, SECRET};

/// Nothing here is sent.
const NOWHERE: &str = "http://127.0.0.1:9";

/// Plain records of each kind that the backend takes say in it what they said, and the same in the same bytes each time.
#[must_use]
pub fn reads_back(case: &Case) -> Vec<String> {
    let mut opened = Opened::new(case, NOWHERE, PushLimit::Vendor);
    let mut wrong = Vec::new();
    for expected in records::plain() {
        let signal = expected.record.signal();
        if !opened.backend.accepts(signal) {
            continue;
        }
        match read(case, &mut opened, &expected.record) {
            Ok(read) => wrong.extend(lacks(case, &expected, &read).map(|what| format!("{signal}: {what}"))),
            Err(what) => wrong.push(format!("{signal}: {what}")),
        }
    }
    wrong
}

/// What all items of a record say.
fn read(case: &Case, opened: &mut Opened, record: &Record<'_>) -> Result<Read, String> {
    let mut encoded = || {
        let mut items = Items::new();
        items.begin(record.id, record.time_ms(), 0);
        opened.backend.encode(record, &mut items).map_err(|error| format!("not encoded: {error}"))?;
        Ok::<Vec<Vec<u8>>, String>(items.iter().map(|(_, bytes)| bytes.to_vec()).collect())
    };
    let (items, again) = (encoded()?, encoded()?);
    if items.is_empty() || items != again {
        return Err(format!("{} items, and then {} that are not the same", items.len(), again.len()));
    }
    let mut all = Read::default();
    for item in &items {
        let read =
            (case.read)(item).map_err(|error| format!("{error}: {}", String::from_utf8_lossy(item)))?;
        all.texts.extend(read.texts);
        all.numbers.extend(read.numbers);
    }
    Ok(all)
}

/// What is not there and should be.
fn lacks(case: &Case, expected: &Expected, read: &Read) -> impl Iterator<Item = String> {
    let mut texts: Vec<String> = expected.texts.iter().map(|text| (*text).to_owned()).collect();
    texts.extend(expected.message.map(|message| (case.shown)(message)));
    if (case.ids)(expected.record.signal()) {
        texts.push(expected.record.id.to_string());
    }
    texts.retain(|text| !read.holds(text));
    let numbers = expected.numbers.iter().filter(|number| !read.numbers.contains(number));
    let numbers: Vec<String> = numbers.map(f64::to_string).collect();
    let read = format!("{read:?}");
    texts.into_iter().chain(numbers).map(move |what| format!("\"{what}\" is not in {read}"))
}

/// Records of every kind and any content are encoded into items that are each one item, or are refused with a reason.
#[must_use]
pub fn takes_any(case: &Case) -> Vec<String> {
    let opened = std::cell::RefCell::new(Opened::new(case, NOWHERE, PushLimit::default()));
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    let tried = TestRunner::new(config).run(&records::arbitrary(24), |records| {
        let wrong = records.iter().find_map(|record| one(case, &mut opened.borrow_mut(), record).err());
        wrong.map_or(Ok(()), |what| Err(proptest::test_runner::TestCaseError::fail(what)))
    });
    let hostile = Signal::ALL.into_iter().flat_map(records::hostile);
    let mut wrong: Vec<String> =
        hostile.filter_map(|record| one(case, &mut opened.borrow_mut(), &record).err()).collect();
    wrong.extend(tried.err().map(reason));
    wrong
}

/// Why a property does not hold, and the beginning of the least that it does not hold for.
pub(super) fn reason<T: std::fmt::Debug>(error: TestError<T>) -> String {
    match error {
        TestError::Fail(why, input) => {
            let input: String = format!("{input:?}").chars().take(2_000).collect();
            format!("{why}: {input}")
        }
        TestError::Abort(why) => why.to_string(),
    }
}

fn one(case: &Case, opened: &mut Opened, record: &Record<'_>) -> Result<(), String> {
    let mut items = Items::new();
    items.begin(record.id, record.time_ms(), 0);
    match opened.backend.encode(record, &mut items) {
        // What it says that it does not take is never given to it.
        _ if !opened.backend.accepts(record.signal()) => Ok(()),
        Err(error) if error.0.is_empty() => Err(format!("refused without a reason: {record:?}")),
        Err(error) if error.0.contains(SECRET) => Err(format!("a secret in: {error}")),
        Err(_) => Ok(()),
        Ok(()) => items.iter().try_for_each(|(_, bytes)| match (case.read)(bytes) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("{error}: {} of {record:?}", String::from_utf8_lossy(bytes))),
        }),
    }
}
