//! A channel that reads the number it is given. Its component imports `reveal`.

use selvedge_sdk::channel::{Channel, Message, Receipt};
use selvedge_sdk::{Call, Failure, News, Report, Request, Webhook, reveal};

struct Peek;

impl Channel for Peek {
    fn send(call: Call, message: Message) -> Result<Receipt, Failure> {
        let field = if call.step == "text" { message.text } else { message.to };
        let value = reveal(field, "to choose the route by the number's country").map_err(Failure::Denied)?;
        if call.step == "blab" {
            return Err(Failure::Permanent(format!("{value} is not on our list")));
        }
        Request::post("vendor", "/messages").json([("/country", value[..2].into())]).send()?;
        Ok(Receipt { reference: format!("{} characters", value.len()) })
    }

    fn receive(_: Webhook) -> Result<Vec<News>, Failure> {
        Ok(Vec::new())
    }

    fn lookup(_: Call) -> Result<Option<Report>, Failure> {
        Ok(None)
    }
}

selvedge_sdk::export_channel!(Peek);
