//! The endpoints: whether their callbacks come, and what to paste where.

use actix_web::HttpResponse;
use askama::Template;

use super::{
    frame::{Frame, Section},
    health::{self, Health},
    part::Prose,
    problem::Problem,
    visit::Visit,
};
use crate::{endpoint::Endpoint, providers};

#[derive(Template)]
#[template(path = "endpoints.html")]
struct Page {
    frame: Frame,
    endpoints: Vec<View>,
    /// Providers that are off, and the variables that would switch them on.
    off: Vec<(&'static str, Vec<String>)>,
}

/// One endpoint as it is shown.
struct View {
    health: Health,
    name: &'static str,
    title: &'static str,
    urls: Vec<String>,
    unsigned: &'static str,
    console: Vec<Prose>,
}

impl View {
    fn new(endpoint: &Endpoint, health: Health) -> Option<Self> {
        // Every endpoint of a running gateway has a public address.
        let address = endpoint.public_urls.first()?;
        Some(Self {
            health,
            name: endpoint.spec.name,
            title: endpoint.spec.title,
            urls: endpoint.urls_to_paste(address),
            unsigned: endpoint.spec.unsigned,
            console: endpoint.spec.console.iter().map(|step| Prose::new(step)).collect(),
        })
    }
}

pub(super) async fn list(visit: Visit) -> Result<HttpResponse, Problem> {
    let healths = health::all(&visit).await?;
    let of = |health: Health| {
        let endpoint = visit.gateway.endpoints().find(|endpoint| health::anchor(endpoint) == health.anchor)?;
        View::new(endpoint, health)
    };
    let endpoints = healths.into_iter().filter_map(of).collect();
    let is_on = |name: &str| visit.gateway.endpoints().any(|endpoint| endpoint.spec.name == name);
    let off = providers::ALL.into_iter().filter(|spec| !is_on(spec.name)).map(|spec| (spec.title, spec.proofs())).collect();
    visit.show(&Page { frame: visit.frame(Section::Endpoints, "Endpoints"), endpoints, off })
}
