//! A loaded connector: its code, what it may do, and the facts that an admin and the workflow checker need.

use std::collections::BTreeMap;
use std::sync::Arc;

use selvedge_workflow::source::{Diagnostic, Span};
use selvedge_workflow::{ConnectorFacts, ConnectorKind};
use serde::Serialize;
use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre};

use crate::LoadError;
use crate::component::{MAX_COMPONENT, digest};
use crate::connection::Connections;
use crate::grant::Grant;
use crate::linker::{self, Exports};
use crate::manifest::{EffectClass, Kind, Manifest, Vetting};
use crate::route::{Route, UNFIT};
use crate::state::State;

/// A connector as it arrives.
pub struct Package {
    /// The component's bytes.
    pub wasm: Vec<u8>,
    /// `connector.yaml`, with its name for messages.
    pub manifest: (String, String),
    /// `workflows/grants/<connector>.yaml`, with its name for messages.
    pub grant: (String, String),
}

/// A connector that passed every check and can be called.
pub struct Connector {
    pub(crate) manifest: Manifest,
    pub(crate) grant: Grant,
    pub(crate) digest: String,
    pub(crate) connections: Connections,
    pub(crate) pre: InstancePre<State>,
    pub(crate) exports: Exports,
    imports: Vec<String>,
}

impl Connector {
    /// Reads the files, compiles the component, links what was granted and checks the connections.
    pub(crate) fn load(engine: &Engine, package: Package, connections: &Connections) -> Result<Arc<Self>, LoadError> {
        let manifest = Manifest::read(&package.manifest.0, &package.manifest.1)?;
        let grant = Grant::read(&package.grant.0, &package.grant.1)?;
        let connector = manifest.connector.clone();
        if grant.connector != connector {
            let message = format!("the grant is for `{}`, the connector is `{connector}`", grant.connector);
            let mistake = Diagnostic::new(UNFIT, message).at(&Span::start_of(&grant.file));
            return Err(vec![mistake.help(format!("write `connector: {connector}`"))].into());
        }
        if package.wasm.len() > MAX_COMPONENT {
            let why = format!("it has more than {MAX_COMPONENT} bytes");
            return Err(LoadError::NotAComponent { connector, why });
        }
        let component = Component::new(engine, &package.wasm)
            .map_err(|error| LoadError::NotAComponent { connector: connector.clone(), why: format!("{error:#}") })?;
        let (pre, exports) = linker::link(engine, &component, &manifest, &grant)?;
        let connections = choose(&connector, &grant, connections)?;
        let imports = linker::imports(engine, &component);
        Ok(Arc::new(Connector { digest: digest(&package.wasm), manifest, grant, connections, pre, exports, imports }))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.manifest.connector
    }

    /// `sha256:<hex>` of its component.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What it is for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.manifest.kind
    }

    /// What may be done when nobody knows whether `function` (`send`, `charge`, …) happened.
    #[must_use]
    pub fn effect(&self, function: &str) -> EffectClass {
        self.manifest.effect(function)
    }

    /// What the workflow checker needs of it.
    #[must_use]
    pub fn connector_facts(&self) -> ConnectorFacts {
        connector_facts(&self.manifest, &self.grant)
    }

    /// Everything that an admin wants to know before and after a grant.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let (manifest, grant) = (&self.manifest, &self.grant);
        let reason = |name: &String| manifest.reasons.get(name).cloned().unwrap_or_default();
        let asked = |asked: &String, given: bool| Asked { name: asked.clone(), why: reason(asked), granted: given };
        let sends = grant.gives.connections.iter().flat_map(|(name, routes)| {
            let host = self.connections.get(name).map(super::Connection::host).unwrap_or_default();
            routes.iter().map(move |route| Sends { connection: name.clone(), host: host.clone(), route: route.clone() })
        });
        Facts {
            connector: manifest.connector.clone(),
            version: manifest.version.clone(),
            vendor: manifest.vendor.clone(),
            about: manifest.about.clone(),
            kind: manifest.kind,
            digest: self.digest.clone(),
            component_imports: self.imports.clone(),
            imports: manifest.asks.imports.iter().map(|name| asked(name, grant.gives.imports.contains(name))).collect(),
            fields: manifest.asks.fields.iter().map(|path| asked(path, grant.gives.fields.contains(path))).collect(),
            purposes: grant.purposes.iter().cloned().collect(),
            sends: sends.collect(),
            effects: manifest.effects.clone(),
            webhooks: manifest.webhooks.as_ref().map(|webhooks| webhooks.connection.clone()),
            vetting: manifest.vetting.clone(),
            granted_by: grant.by.clone(),
            granted_for: grant.reason.clone(),
        }
    }
}

/// What the workflow checker needs: what was both asked for and granted. No component is needed for it.
#[must_use]
pub fn connector_facts(manifest: &Manifest, grant: &Grant) -> ConnectorFacts {
    ConnectorFacts {
        kind: match manifest.kind {
            Kind::Channel => ConnectorKind::Channel,
            Kind::Verifier => ConnectorKind::Verifier,
            Kind::Gateway => ConnectorKind::Gateway,
            Kind::Service => ConnectorKind::Service,
        },
        vendor: manifest.vendor.clone(),
        fields: grant.gives.fields.intersection(&manifest.asks.fields).cloned().collect(),
        purposes: grant.purposes.clone(),
        effects: manifest.effects.iter().map(|(name, class)| (name.clone(), class.name().to_owned())).collect(),
        signal: manifest.signal.clone(),
        grant_file: grant.file.clone(),
    }
}

/// What a connector is, what it asked for, and what it was given.
#[derive(Clone, Debug, Serialize)]
pub struct Facts {
    /// Its name.
    pub connector: String,
    /// Its version.
    pub version: String,
    /// Whose service it speaks to.
    pub vendor: String,
    /// One line for people.
    pub about: String,
    /// What it is for.
    pub kind: Kind,
    /// `sha256:<hex>` of its component.
    pub digest: String,
    /// What the component really imports, read from its bytes.
    pub component_imports: Vec<String>,
    /// The powers that it asked for.
    pub imports: Vec<Asked>,
    /// The fields that it asked for.
    pub fields: Vec<Asked>,
    /// The purposes that it may serve.
    pub purposes: Vec<String>,
    /// Where it may send.
    pub sends: Vec<Sends>,
    /// The class of each of its functions.
    pub effects: BTreeMap<String, EffectClass>,
    /// The connection whose webhooks it reads.
    pub webhooks: Option<String>,
    /// The vendor's answers.
    pub vetting: Vetting,
    /// Who granted.
    pub granted_by: String,
    /// What for.
    pub granted_for: String,
}

/// Something asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// The import or the field's path.
    pub name: String,
    /// The developer's reason.
    pub why: String,
    /// Whether the admin gave it.
    pub granted: bool,
}

/// Somewhere to send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sends {
    /// The connection's name.
    pub connection: String,
    /// Its host.
    pub host: String,
    /// The request.
    pub route: Route,
}

/// The connections that a grant names, checked. Others stay out of the connector's reach.
fn choose(connector: &str, grant: &Grant, connections: &Connections) -> Result<Connections, LoadError> {
    let mut chosen = Connections::new();
    for name in grant.gives.connections.keys() {
        let bad = |why: String| LoadError::BadConnection { connector: connector.into(), connection: name.clone(), why };
        let connection = connections.get(name).ok_or_else(|| bad("it is not configured".into()))?;
        chosen.insert(name.clone(), connection.checked().map_err(bad)?);
    }
    Ok(chosen)
}
