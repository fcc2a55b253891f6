//! Fields of log events.
use ops_sdk::prelude::*;

struct Order {
    id: u8,
}

fn main() {
    let order = Order { id: 1 };
    let (id, name) = (1, "n");
    info!("fields", 5);
    info!("fields", &name);
    info!("fields", name.len());
    info!("fields", name: name);
    info!("fields", name => name);
    info!("fields", order.id);
    info!("fields", ?order.id);
    info!("fields", "any key");
    info!("fields", %name = name);
    info!("fields", name =);
    info!("fields", name = name name);
    info!("fields" name);
    info!("fields", name == name);
    info!("fields", name = !);
    info!("fields", a. = 1);
    info!("fields", "" = 1);
    info!("fields", name, other = 2, name = 3);
    info!("fields", id);
    info!("fields", time = 1);
    info!("fields", level = 1);
    info!("fields", "target" = 1);
    info!("fields", message = 1);
    info!("fields", file = 1);
    info!("{id}");
}
