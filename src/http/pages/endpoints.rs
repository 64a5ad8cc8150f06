//! The endpoints: whether their callbacks come, and what to paste where.

use actix_web::HttpResponse;
use askama::Template;

use super::{
    frame::{Frame, Section},
    part::{Badge, Tone},
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
    anchor: String,
    title: &'static str,
    account: String,
    verification: Badge,
    urls: Vec<String>,
    unsigned: &'static str,
    console: Vec<Vec<Piece>>,
}

/// A piece of a step at a provider's console.
enum Piece {
    Text(&'static str),
    /// What is to be clicked.
    Label(&'static str),
    Code(&'static str),
}

/// Steps are written as the README shows them.
fn pieces(step: &'static str) -> Vec<Piece> {
    let every_other = || [false, true].into_iter().cycle();
    let prose = |text: &'static str| {
        text.split('*').zip(every_other()).map(|(text, is_label)| if is_label { Piece::Label(text) } else { Piece::Text(text) })
    };
    let split = step.split('`').zip(every_other());
    split.flat_map(|(text, is_code)| if is_code { vec![Piece::Code(text)] } else { prose(text).collect() }).collect()
}

impl View {
    fn new(endpoint: &Endpoint) -> Option<Self> {
        // Every endpoint of a running gateway has a public address.
        let fallback = endpoint.public_urls.first()?;
        let verification = match (endpoint.unverified, endpoint.spec.unsigned) {
            (Some(_), _) => Badge::new(Tone::Bad, "nothing is verified"),
            (None, "") => Badge::new(Tone::Good, "every callback is signed"),
            (None, _) => Badge::new(Tone::Warn, "some callbacks come unsigned"),
        };
        Some(Self {
            anchor: format!("{}-{}", endpoint.spec.name, endpoint.account.as_str()),
            title: endpoint.spec.title,
            account: endpoint.account.as_str().to_owned(),
            verification,
            urls: endpoint.urls_to_paste(fallback),
            unsigned: endpoint.spec.unsigned,
            console: endpoint.spec.console.iter().copied().map(pieces).collect(),
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
