//! A channel that wants to know the time: an import that no grant can give.

use selvedge_sdk::channel::{Channel, Message, Receipt};
use selvedge_sdk::{Call, Failure, News, Report, Webhook};

mod bindings {
    wit_bindgen::generate!({
        inline: "
            package test:ticker;
            interface clock { now: func() -> u64; }
            world ticker { import clock; }
        ",
    });
}

struct Ticker;

impl Channel for Ticker {
    fn send(_: Call, _: Message) -> Result<Receipt, Failure> {
        Ok(Receipt { reference: bindings::test::ticker::clock::now().to_string() })
    }

    fn receive(_: Webhook) -> Result<Vec<News>, Failure> {
        Ok(Vec::new())
    }

    fn lookup(_: Call) -> Result<Option<Report>, Failure> {
        Ok(None)
    }
}

selvedge_sdk::export_channel!(Ticker);
