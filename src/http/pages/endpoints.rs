//! The endpoints: whether their callbacks come, and what to paste where.

use actix_web::HttpResponse;
use askama::Template;

use super::{
    frame::{Frame, Section},
    part::{Badge, Prose, Tone},
    problem::Problem,
    visit::Visit,
};
use crate::{endpoint::Endpoint, providers};

#[derive(Template)]
#[template(path = "endpoints.html")]
struct Page {
    frame: Frame,
    endpoints: Vec<View>,
    off: Vec<(&'static str, Vec<String>)>,
}

/// One endpoint as it is shown.
struct View {
    health: Health,
    title: &'static str,
    verification: Badge,
    urls: Vec<String>,
    unsigned: &'static str,
    console: Vec<Prose>,
}

/// Whether an endpoint's callbacks come.
pub(super) struct Health {
    pub(super) anchor: String,
    pub(super) name: String,
    pub(super) state: Badge,
}

impl View {
    fn new(endpoint: &Endpoint, health: Health) -> Option<Self> {
        // Every endpoint of a running gateway has a public address.
        let address = endpoint.public_urls.first()?;
        let verification = match (endpoint.unverified, endpoint.spec.unsigned) {
            (Some(_), _) => Badge::new(Tone::Bad, "nothing is verified"),
            (None, "") => Badge::new(Tone::Good, "every callback is signed"),
            (None, _) => Badge::new(Tone::Flow, "some callbacks come unsigned"),
        };
        Some(Self {
            health,
            title: endpoint.spec.title,
            verification,
            urls: endpoint.urls_to_paste(address),
            unsigned: endpoint.spec.unsigned,
            console: endpoint.spec.console.iter().map(|step| Prose::new(step)).collect(),
        })
    }
}

pub(super) async fn list(visit: Visit) -> Result<HttpResponse, Problem> {
    let mut endpoints: Vec<View> = visit.gateway.endpoints().filter_map(View::new).collect();
    endpoints.sort_by(|one, other| one.anchor.cmp(&other.anchor));
    let is_on = |name: &str| visit.gateway.endpoints().any(|endpoint| endpoint.spec.name == name);
    let off = providers::ALL.into_iter().filter(|spec| !is_on(spec.name)).map(|spec| (spec.title, spec.proofs())).collect();
    visit.show(&Page { frame: visit.frame(Section::Endpoints, "Endpoints"), endpoints, off })
}
