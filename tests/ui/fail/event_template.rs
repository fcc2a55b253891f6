//! Templates of log events.
use ops_sdk::prelude::*;

fn main() {
    let text = "text";
    info!();
    info!(text);
    warn!(concat!("a", "b"));
    info!("{}", text);
    info!("{:?}", text);
    info!("{0}", text);
    info!("{text");
    info!("text}");
    info!("{missing}");
    info!("{order.id}");
    info!("{order id}");
    info!("{a + b}");
    info!("{text:zz}");
    info!("{text:.*}");
    info!("{text:1$}");
    info!("{text:>missing$}");
    info!("{text:x}");
    info!("{message}", text);
}
