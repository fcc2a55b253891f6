//! Every form of the log macros, without a warning.
#![deny(warnings)]
#![forbid(unsafe_code)]

use ops_sdk::prelude::*;

#[derive(Debug)]
struct Order {
    number: u64,
    name: String,
}

#[derive(Debug)]
struct Declined;

impl std::fmt::Display for Declined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("declined")
    }
}

fn levels() {
    trace!("every step");
    debug!("a detail");
    info!("as it should be");
    warn!("look at this",);
    error!("");
}

fn fields(order: &Order, e: Declined) {
    let (amount, name, r#type, none) = (1.5, "n", 7u8, None::<u8>);
    info!("shorthand", amount, name, r#type, none);
    info!("signs", %name, ?order, %e);
    info!("paths", order.number = order.number, order.name = order.name, a.b.c = 3_000_000_000, type = 1);
    info!("text", "any key" = 1, "http-status" = 200 + 4, neg = -1);
    info!("captured", user = %order.name, err = ?e, flag = !true, some = Some("x"), c = 'c');
    info!("temporaries", len = order.name.clone().as_str(), shown = %format!("{amount}").trim());
    info!("trailing", amount,);
    warn!("own macros", n = vec![1, 2].len(), block = { 3 }, closure = (|| 4)());
}

fn templates(order: &Order, e: Declined) {
    let (amount, width, r#type) = (1.5f64, 10, "t");
    info!("charged {amount}", amount, order.id = order.number);
    info!("charged {amount} of {order.number}", order.number = order.number);
    info!("{amount:.2} {amount:>width$} {amount:e} {amount}", amount);
    info!("{amount:.2} {amount:?}");
    info!("{e:?} {e:#?}");
    info!("{e} failed", %e);
    info!("{e:>20} {e:?}", %e);
    info!("{err:?} {err:#?} {err}", err = ?e);
    info!("{{literal}} {{{amount}}} }}{{");
    info!("{any key} {http-status:>5}", "any key" = 1, "http-status" = 200);
    info!("{type}");
    info!(r#"raw "{amount}""#);
    info!("{n:05} {t}", n = order.number + 1, t = order.name.clone().as_str());
    error!("evaluated {once:.1}", once = { let x = amount; x * 2.0 });
}

struct Named(&'static str);

impl Named {
    fn say(&self) -> bool {
        debug!("{name}", name = self.0);
        matches!(self.0, "x") && { info!("in an expression"); true }
    }
}

macro_rules! through {
    ($template:literal, $value:expr) => {
        info!($template, value = $value)
    };
}

fn fallible() -> Result<(), std::num::ParseIntError> {
    info!("parsed", n = "7".parse::<u8>()?);
    through!("{value}", 1 + 1);
    Ok(())
}

fn main() {
    let order = Order { number: 7, name: "seven".to_owned() };
    levels();
    fields(&order, Declined);
    templates(&order, Declined);
    Named("x").say();
    fallible().unwrap();
}
