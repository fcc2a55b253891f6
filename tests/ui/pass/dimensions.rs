//! Types with dimensions, options that go with dimensions.
#![deny(warnings)]

use ops_sdk::prelude::*;

#[derive(Clone, Copy, Dimensions)]
enum Region {
    #[dimension(rename = "eu-west-1")]
    Ireland,
    Virginia,
}

#[derive(Clone, Copy, PartialEq, Dimensions)]
#[dimension(rename_all = "snake_case", rename = "Customer tier")]
#[allow(dead_code)]
enum Tier {
    Free,
    PaidYearly,
    r#Type,
}

#[derive(Dimensions)]
#[dimension(rename_all = "PascalCase")]
struct Order {
    region: Region,
    customer_tier: Tier,
    #[dimension(rename = "First order")]
    first: bool,
}

#[derive(Dimensions)]
struct Borrowed<'a> {
    region: &'a Region,
}

#[derive(Dimensions)]
struct Of<T: ops_sdk::KnownValue> {
    part: T,
}

mod shop {
    #[derive(ops_sdk::Dimensions)]
    pub enum Till {
        Left,
        Right,
    }
}

fn metrics(region: Region, order: &Order, tenant: &str) {
    counter!("orders", 1, "Region" => region);
    counter!("orders", 1, "Region" => &region, "New" => true, "Fixed" => "yes", "Tenant" => tenant);
    counter!("orders", 1, ..order as Order);
    counter!("orders", 1, "Tenant" => tenant, ..order as Order,);
    counter!("orders", 1, ..Order { region, customer_tier: Tier::Free, first: false });
    counter!("orders", 1, ..shop::Till::Left as shop::Till, ..region as Region);
    counter!("orders", 1, ..Of { part: region } as Of<Region>);
    gauge!("depth", 1, unit = Count, series_max = 12, ..order as Order);
    histogram!("took", 2, resolution = high, series_max = 2, rollup = [[]], "Region" => region);
    histogram!("took", 2, rollup = [["Region"], ["First order", "Tenant"], []], "Tenant" => tenant, ..order as Order);
    gauge!("depth", 1, rollup = [["a"]], "a" => 1, "b" => %2,);
    counter!("till", 1, "Till" => shop::Till::Right);
    counter!("borrowed", 1, ..Borrowed { region: &region });
}

#[instrumented(dims("Region" => region), rollup = [[]], series_max = 2)]
fn by_enum(region: Region) -> Result<(), String> {
    let _ = region;
    Ok(())
}

#[instrumented(dims("Tenant" => tenant, ..order as Order), rollup = [["Tenant"], ["Region"]])]
async fn by_struct(order: Order, tenant: String) {
    drop((order, tenant));
}

fn main() {
    use ops_sdk::Dimensions;
    assert_eq!(Region::KEYS, ["Region"]);
    assert_eq!(Tier::KEYS, ["Customer tier"]);
    assert_eq!(Order::KEYS, ["Region", "CustomerTier", "First order"]);
    assert_eq!((Order::CARDINALITY, Of::<Tier>::CARDINALITY), (&[2, 3, 2][..], &[3][..]));
    let order = Order { region: Region::Virginia, customer_tier: Tier::PaidYearly, first: true };
    assert_eq!(order.index(), (1 * 3 + 1) * 2 + 1);
    metrics(Region::Ireland, &order, "t");
    by_enum(Region::Ireland).unwrap();
    drop(by_struct(order, String::new()));
}
