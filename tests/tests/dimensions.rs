//! Dimensions of known types, rollups and the bound on series, as they arrive.

use std::collections::BTreeMap;
use std::time::Duration;

use ops_sdk::Builder;
use ops_sdk::prelude::*;
use ops_tests::capture::Capture;
use ops_tests::{SOON, assert_balanced, early_in_a_minute, turn};
use serde_json::Value;

/// Runs `work` while a fake records, and gives back what arrived.
fn recorded(work: impl FnOnce()) -> Capture {
    recorded_by(|builder| builder, work)
}

/// The same with settings.
fn recorded_by(set: impl FnOnce(Builder) -> Builder, work: impl FnOnce()) -> Capture {
    let _turn = turn();
    let capture = Capture::new("dimensions");
    let builder = ops_sdk::init().environment(|_| None).linger(Duration::from_millis(5));
    let ops = set(builder).backend(capture.clone()).start().expect("recording starts");
    early_in_a_minute();
    work();
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    assert_balanced(&ops.stats());
    capture
}

/// The sums of a metric by its dimensions, written one behind the other.
fn sums(capture: &Capture, name: &str) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for line in capture.metrics(name) {
        let dimensions = line["dimensions"].as_object().expect("an object").iter();
        let text = |(key, value): (&String, &Value)| format!("{key}={}", value.as_str().expect("text"));
        let dimensions: Vec<_> = dimensions.map(text).collect();
        *sums.entry(dimensions.join(" ")).or_default() += line["sum"].as_f64().expect("a number");
    }
    sums
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Dimensions)]
enum Region {
    #[dimension(rename = "eu-west-1")]
    Ireland,
    Virginia,
    Tokyo,
}

#[derive(Clone, Copy, Dimensions)]
#[dimension(rename_all = "kebab-case")]
enum Tier {
    Free,
    PaidYearly,
}

#[derive(Clone, Copy, Dimensions)]
#[dimension(rename_all = "PascalCase")]
struct Order {
    region: Region,
    tier: Tier,
    #[dimension(rename = "First order")]
    first: bool,
}

/// Every order there is.
fn orders() -> Vec<Order> {
    let mut all = Vec::new();
    for region in [Region::Ireland, Region::Virginia, Region::Tokyo] {
        for tier in [Tier::Free, Tier::PaidYearly] {
            all.extend([false, true].map(|first| Order { region, tier, first }));
        }
    }
    all
}

/// The values of an order as they are to arrive.
fn texts(order: Order) -> (&'static str, &'static str, bool) {
    let region = match order.region {
        Region::Ireland => "eu-west-1",
        Region::Virginia => "Virginia",
        Region::Tokyo => "Tokyo",
    };
    (region, if matches!(order.tier, Tier::Free) { "free" } else { "paid-yearly" }, order.first)
}

#[test]
fn every_combination_is_a_series_of_its_own_over_all_threads() {
    const THREADS: u64 = 4;
    let capture = recorded(|| {
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                scope.spawn(move || {
                    for _ in 0..3 {
                        for (n, order) in (1u64..).zip(orders()) {
                            counter!("spread", n, ..order as Order);
                            counter!("single", n, "Region" => order.region, "First" => order.first);
                            counter!("mixed", n, "Thread" => thread, ..order as Order);
                            histogram!("values", n, "Tier" => &order.tier, "Fixed" => 7);
                        }
                    }
                });
            }
        });
    });
    let mut wanted = [const { BTreeMap::<String, f64>::new() }; 4];
    for (n, order) in (1u32..).zip(orders()) {
        let n = f64::from(n) * 3.0;
        let (region, tier, first) = texts(order);
        let spread = format!("First order={first} Region={region}");
        let all = n * THREADS as f64;
        *wanted[0].entry(format!("{spread} Tier={tier}")).or_default() += all;
        *wanted[1].entry(format!("First={first} Region={region}")).or_default() += all;
        for thread in 0..THREADS {
            *wanted[2].entry(format!("{spread} Thread={thread} Tier={tier}")).or_default() += n;
        }
        *wanted[3].entry(format!("Fixed=7 Tier={tier}")).or_default() += all;
    }
    for (name, wanted) in ["spread", "single", "mixed", "values"].into_iter().zip(wanted) {
        assert_eq!(sums(&capture, name), wanted, "{name}");
    }
    assert_eq!(orders().iter().map(|order| order.index()).collect::<Vec<_>>(), (0..12).collect::<Vec<_>>());
}

#[instrumented(name = "place", dims("Shop" => shop, ..order as Order), rollup = [[], ["Shop"], ["Region", "Tier"]])]
async fn place(order: Order, shop: String) -> Result<usize, String> {
    let mut first = true;
    std::future::poll_fn(|_| {
        if std::mem::take(&mut first) { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    let _ = order;
    if shop == "closed" { Err(shop) } else { Ok(shop.len()) }
}

#[instrumented(name = "known", dims(..order as Order))]
fn known(order: Order) -> Option<()> {
    order.first.then_some(())
}

/// Polls each once; how many are done.
fn polled<F: Future>(futures: &mut [std::pin::Pin<Box<F>>]) -> usize {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    futures.iter_mut().map(|future| future.as_mut().poll(&mut context)).filter(|poll| poll.is_ready()).count()
}

#[test]
fn calls_have_known_dimensions_too_and_end_in_them_on_any_thread() {
    let capture = recorded(|| {
        let futures = orders()
            .into_iter()
            .flat_map(|order| ["open", "closed"].map(|shop| Box::pin(place(order, shop.to_owned()))));
        let mut futures: Vec<_> = futures.collect();
        assert_eq!(polled(&mut futures), 0);
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(polled(&mut futures), 24));
        });
        orders().into_iter().for_each(|order| _ = (known(order), known(order)));
    });
    let calls = sums(&capture, "calls");
    let own: Vec<_> = calls.iter().filter(|(key, _)| key.contains("=known")).collect();
    assert_eq!((own.len(), own.iter().all(|(_, sum)| **sum == 2.0)), (12, true), "{own:?}");
    let rolled = |keys: usize| {
        let of = |metric: &str| {
            let sums = sums(&capture, metric);
            let with = sums
                .into_iter()
                .filter(|(key, _)| key.contains("=place") && key.matches('=').count() == keys);
            with.map(|(_, sum)| sum).collect::<Vec<f64>>()
        };
        (of("calls"), of("errors"))
    };
    assert_eq!(rolled(1), (vec![24.0], vec![12.0]));
    assert_eq!(rolled(2), (vec![12.0, 12.0], vec![12.0, 0.0]), "by shop: closed, open");
    assert_eq!(rolled(3), (vec![4.0; 6], vec![2.0; 6]), "by region and tier");
    assert_eq!(rolled(5).0, vec![1.0; 24], "by all");
}

#[test]
fn rollups_add_up_for_every_kind_of_metric() {
    let capture = recorded(|| {
        for (n, tenant) in ["a", "b", "a", "c"].into_iter().enumerate() {
            counter!("rolled.counter", 1, rollup = [[], ["Tier"]], "Tenant" => tenant, "Tier" => n % 2);
            gauge!("rolled.gauge", n, rollup = [[]], "Tenant" => tenant);
            histogram!("rolled.histogram", n, rollup = [[]], "Tenant" => tenant);
        }
    });
    let wanted = [("", 4.0), ("Tenant=a Tier=0", 2.0), ("Tenant=b Tier=1", 1.0), ("Tenant=c Tier=1", 1.0)];
    let wanted = wanted.into_iter().chain([("Tier=0", 2.0), ("Tier=1", 2.0)]);
    let wanted: BTreeMap<_, _> = wanted.map(|(key, sum)| (key.to_owned(), sum)).collect();
    assert_eq!(sums(&capture, "rolled.counter"), wanted);
    for name in ["rolled.gauge", "rolled.histogram"] {
        let lines = capture.metrics(name);
        let whole: Vec<_> = lines
            .iter()
            .filter(|line| line["dimensions"].as_object().is_some_and(|all| all.is_empty()))
            .collect();
        assert_eq!((lines.len(), whole.len()), (4, 1), "{name}");
        assert_eq!((whole[0]["count"].as_u64(), whole[0]["sum"].as_f64()), (Some(4), Some(6.0)), "{name}");
    }
    // Of a gauge it has the value that was set last, in whichever series, and not a sum of levels.
    let gauge = &capture.metrics("rolled.gauge");
    let whole = gauge.iter().find(|line| line["dimensions"].as_object().is_some_and(|all| all.is_empty()));
    assert_eq!(whole.and_then(|line| line["last"].as_f64()), Some(3.0));
}

#[test]
fn a_metric_keeps_to_its_own_bound_and_what_is_beyond_is_counted() {
    let capture = recorded(|| {
        for n in 0..10u64 {
            counter!("bounded", 1, series_max = 3, "Tenant" => n);
            counter!("bounded by type", 1, series_max = 12, "First" => n % 2 == 0, "Tenant" => n);
            counter!("unbounded", 1, "Tenant" => n);
            gauge!("bounded gauge", n, series_max = 1, rollup = [[]], "Tenant" => n);
        }
    });
    let own = [("Tenant=0", 1.0), ("Tenant=1", 1.0), ("Tenant=2", 1.0), ("Tenant=ops.overflow", 7.0)];
    let own: BTreeMap<_, _> = own.map(|(key, sum)| (key.to_owned(), sum)).into();
    assert_eq!(sums(&capture, "bounded"), own);
    assert_eq!((sums(&capture, "unbounded").len(), sums(&capture, "bounded by type").len()), (10, 10));
    assert_eq!(
        sums(&capture, "bounded gauge").get("").copied(),
        Some(45.0),
        "a rollup is whole, whatever overflows"
    );
    let overflow = sums(&capture, "ops_sdk.series_overflow");
    let wanted = [("Metric=bounded", 7.0), ("Metric=bounded gauge", 9.0)];
    assert_eq!(overflow, wanted.map(|(key, sum)| (key.to_owned(), sum)).into());
}

#[test]
fn numbered_series_keep_to_the_bound_of_the_program() {
    let capture = recorded_by(
        |builder| builder.series_max(5),
        || {
            for _ in 0..2 {
                orders().into_iter().for_each(|order| counter!("few", 1, ..order as Order));
            }
        },
    );
    let few = sums(&capture, "few");
    let overflow = "First order=ops.overflow Region=ops.overflow Tier=ops.overflow";
    assert_eq!((few.len(), few.get(overflow), few.values().sum()), (6, Some(&14.0), 24.0));
    assert_eq!(sums(&capture, "ops_sdk.series_overflow"), [("Metric=few".to_owned(), 14.0)].into());
}

/// One site, whatever the types: a static in a generic function is one for all.
fn generic<D: ops_sdk::DimensionValue, S: ops_sdk::Dimensions>(value: D, set: S) -> (D, S) {
    counter!("generic", 1, "Value" => value, "Fixed" => "x");
    histogram!("generic by tenant", 1, "Value" => &value, "Tenant" => S::KEYS.len());
    (value, set)
}

#[test]
fn a_site_in_a_generic_function_tells_types_apart() {
    let capture = recorded(|| {
        for _ in 0..3 {
            for region in [Region::Ireland, Region::Virginia, Region::Tokyo] {
                let order = Order { region, tier: Tier::Free, first: true };
                let _ = generic(region, order);
                let _ = generic(order.tier, region);
                let _ = (
                    generic(false, region),
                    generic(true, order),
                    generic("text", order),
                    generic(7u8, order),
                );
            }
        }
    });
    let wanted =
        [("eu-west-1", 3.0), ("Virginia", 3.0), ("Tokyo", 3.0), ("free", 9.0), ("false", 9.0), ("true", 9.0)];
    let wanted = wanted.into_iter().chain([("text", 9.0), ("7", 9.0)]);
    let wanted: BTreeMap<_, _> = wanted.map(|(value, sum)| (format!("Fixed=x Value={value}"), sum)).collect();
    assert_eq!(sums(&capture, "generic"), wanted);
    assert_eq!(
        capture.metrics("generic by tenant").iter().filter_map(|line| line["sum"].as_f64()).sum::<f64>(),
        54.0
    );
}

#[test]
fn a_series_that_nobody_writes_makes_room_for_another() {
    let _turn = turn();
    let capture = Capture::new("idle");
    let builder = ops_sdk::init().environment(|_| None).linger(Duration::from_millis(5));
    let ops =
        builder.backend(capture.clone()).series_idle_max(Duration::ZERO).start().expect("recording starts");
    let flush = || assert!(ops.flush(SOON).complete);
    for day in 0..5u32 {
        for tenant in 0..4u32 {
            counter!("idle", 1, series_max = 4, "Tenant" => day * 4 + tenant);
            counter!("idle by type", 1, series_max = 3, "Region" => [Region::Ireland, Region::Tokyo][day as usize % 2]);
            histogram!("idle histogram", tenant, series_max = 1, "Day" => day);
        }
        // A flush closes the window, and the one after it finds nothing.
        (0..2).for_each(|_| flush());
    }
    drop(ops);
    let all: BTreeMap<_, _> = (0..20).map(|tenant| (format!("Tenant={tenant}"), 1.0)).collect();
    assert_eq!(sums(&capture, "idle"), all);
    let by_type = [("Region=Tokyo".to_owned(), 8.0), ("Region=eu-west-1".to_owned(), 12.0)];
    assert_eq!(sums(&capture, "idle by type"), by_type.into());
    let days: BTreeMap<_, _> = (0..5).map(|day| (format!("Day={day}"), 6.0)).collect();
    assert_eq!(sums(&capture, "idle histogram"), days);
    assert!(capture.metrics("ops_sdk.series_overflow").is_empty());
}
