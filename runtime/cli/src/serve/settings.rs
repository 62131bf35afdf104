//! `node.yaml` in a node's data folder: whose node it is, and where its vendors are. Secrets stand in files of their
//! own, which it names.

use std::collections::BTreeMap;
use std::path::Path;

use secrecy::SecretString;
use selvedge_engine::Settings;
use selvedge_host::{Connection, Connections};
use selvedge_policy::OptOut;
use selvedge_workflow::source::{Document, Fields, Reader};

use crate::failure::Failure;
use crate::home;

/// The file in the data folder.
const FILE: &str = "node.yaml";

/// What a node has to be told.
pub struct NodeSettings {
    /// The tenant that it speaks for.
    pub tenant: String,
    /// What the organisation says of itself; the words of an opt-out come with the definitions.
    pub engine: Settings,
    /// Vendors by the name that grants use.
    pub connections: Connections,
}

/// A connection as it stands in the file.
struct Written {
    name: String,
    base_url: String,
    credential: String,
    webhook_secret: Option<String>,
}

impl NodeSettings {
    /// The tenant that `node.yaml` names; `None` where there is no such file. No secret is looked at.
    pub fn tenant(folder: &Path) -> Result<Option<String>, Failure> {
        let path = folder.join(FILE);
        if !path.is_file() {
            return Ok(None);
        }
        Ok(Some(read(&path.display().to_string(), &home::text(&path)?)?.0.tenant))
    }

    /// Reads `node.yaml` and the secrets that it names.
    pub fn load(folder: &Path) -> Result<NodeSettings, Failure> {
        let path = folder.join(FILE);
        if !path.is_file() {
            return Err(Failure::NoSettings { file: path.display().to_string() });
        }
        let (settings, connections) = read(&path.display().to_string(), &home::text(&path)?)?;
        let secret = |file: &str| -> Result<SecretString, Failure> {
            Ok(SecretString::from(home::text(&folder.join(file))?.trim().to_owned()))
        };
        let connections = connections.into_iter().map(|written| {
            let connection = Connection {
                base_url: written.base_url,
                credential: secret(&written.credential)?,
                webhook_secret: written.webhook_secret.as_deref().map(secret).transpose()?,
            };
            Ok((written.name, connection))
        });
        Ok(NodeSettings { connections: connections.collect::<Result<_, Failure>>()?, ..settings })
    }
}

fn read(file: &str, text: &str) -> Result<(NodeSettings, Vec<Written>), Failure> {
    let findings = |findings| Failure::Findings { findings };
    let tree = Document::parse(file, text).map_err(findings)?;
    let reader = Reader::new();
    let top = reader.item(&tree, "the node's settings").map(&["tenant", "public_url", "sender", "connections"]);
    let tenant = top.required("tenant").text();
    let public_url = top.required("public_url").parsed("an address without a slash at its end", url);
    let sender = top.optional("sender").entries();
    let sender: BTreeMap<String, String> =
        sender.into_iter().filter_map(|(name, value)| Some((name.value, value.text()?.value))).collect();
    let connections = top.required("connections").entries();
    let connections = connections.into_iter().filter_map(|(name, value)| {
        written(name.value, &value.map(&["base_url", "credential_file", "webhook_secret_file"]))
    });
    let connections: Vec<Written> = connections.collect();
    let settings = tenant.zip(public_url).map(|(tenant, public_url)| NodeSettings {
        tenant: tenant.value,
        engine: Settings { sender, public_url: public_url.value, opt_out: OptOut::default() },
        connections: Connections::new(),
    });
    reader.finish(settings).map(|settings| (settings, connections)).map_err(findings)
}

fn written(name: String, of: &Fields<'_, '_>) -> Option<Written> {
    let (base_url, credential) = (of.required("base_url").text(), of.required("credential_file").text());
    let webhook_secret = of.optional("webhook_secret_file");
    let webhook_secret = if webhook_secret.is_given() { Some(webhook_secret.text()?.value) } else { None };
    Some(Written { name, base_url: base_url?.value, credential: credential?.value, webhook_secret })
}

fn url(text: &str) -> Option<String> {
    let known = text.starts_with("https://") || text.starts_with("http://127.0.0.1");
    (known && !text.ends_with('/')).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    const GOOD: &str = "tenant: riverside\npublic_url: https://pay.example.org\nsender:\n  sender.name: Riverside Clinic\n\
        connections:\n  brightline:\n    base_url: https://api.brightline.example\n    credential_file: secrets/brightline\n\
        \x20   webhook_secret_file: secrets/brightline-webhooks\n";

    #[test]
    fn secrets_come_out_of_their_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("secrets")).unwrap();
        for (file, text) in
            [("node.yaml", GOOD), ("secrets/brightline", "sesame\n"), ("secrets/brightline-webhooks", "signed\n")]
        {
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        let settings = NodeSettings::load(folder.path()).unwrap();
        let brightline = &settings.connections["brightline"];
        assert_eq!((settings.tenant.as_str(), brightline.credential.expose_secret()), ("riverside", "sesame"));
        assert_eq!(brightline.webhook_secret.as_ref().unwrap().expose_secret(), "signed");
        assert_eq!(settings.engine.sender["sender.name"], "Riverside Clinic");
    }

    #[test]
    fn every_slip_is_told_at_once() {
        let text = "tenant: riverside\npublic_url: pay.example.org/\nconnections:\n  brightline:\n    url: x\n";
        let Err(Failure::Findings { findings }) = read("node.yaml", text) else { panic!("it was taken") };
        let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 4, "{told:#?}");
    }
}
