//! The page of endpoints: their health, webhook URLs and setup instructions.

use actix_web::HttpResponse;
use askama::Template;

use super::{
    components::Markup,
    context::Context,
    error_page::ErrorPage,
    health::{self, EndpointView},
    layout::{Layout, Section},
};
use crate::{endpoint::Endpoint, providers};

#[derive(Template)]
#[template(path = "endpoints.html")]
struct Page {
    layout: Layout,
    endpoints: Vec<EndpointSetup>,
    /// Disabled providers, and the variables that enable them.
    disabled: Vec<(&'static str, Vec<String>)>,
}

struct EndpointSetup {
    health: EndpointView,
    provider: &'static str,
    title: &'static str,
    urls: Vec<String>,
    unsigned: &'static str,
    instructions: Vec<Markup>,
}

impl EndpointSetup {
    fn new(endpoint: &Endpoint, health: EndpointView) -> Option<Self> {
        // Every endpoint of a running gateway has a public URL.
        let public_url = endpoint.public_urls.first()?;
        Some(Self {
            health,
            provider: endpoint.spec.name,
            title: endpoint.spec.title,
            urls: endpoint.urls_to_paste(public_url),
            unsigned: endpoint.spec.unsigned,
            instructions: endpoint.spec.console.iter().map(|step| Markup::new(step)).collect(),
        })
    }
}

pub(super) async fn list(context: Context) -> Result<HttpResponse, ErrorPage> {
    let router = context.gateway.router();
    let with_setup = |health: EndpointView| {
        let endpoint = router.iter().find(|endpoint| health::anchor(endpoint) == health.anchor)?;
        EndpointSetup::new(endpoint, health)
    };
    let endpoints = health::endpoints(&context).await?.into_iter().filter_map(with_setup).collect();
    let is_enabled = |name: &str| router.iter().any(|endpoint| endpoint.spec.name == name);
    let disabled = providers::ALL.iter().filter(|spec| !is_enabled(spec.name)).map(|spec| (spec.title, spec.proofs())).collect();
    context.render(&Page { layout: context.layout(Section::Endpoints, "Endpoints"), endpoints, disabled })
}
