//! The places of a request's proof, for the laws to remove, repeat and truncate it.

use waybill::fixture::Fixture;

use crate::case::{TestRequest, scheme};

/// One place of the proof.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Header(usize),
    /// A parameter of the query.
    Query(&'static str),
    /// A parameter of a form in the body.
    Form(&'static str),
    /// A member of a JSON object.
    Member(&'static str),
    /// The token at the end of the path.
    Token,
}

/// Every place of the case's proof; empty if only the client's address verifies it.
pub(crate) fn places(case: &Fixture, request: &TestRequest) -> Vec<Place> {
    let mut places: Vec<Place> = match scheme(case).name {
        "sms" | "md5-plain" if request.body.is_empty() => vec![Place::Query("sig")],
        "sms" | "md5-plain" if request.body.starts_with(b"{") => vec![Place::Member("sig")],
        "sms" | "md5-plain" => vec![Place::Form("sig")],
        _ => Vec::new(),
    };
    let query = request.target.split_once('?').map_or("", |(_, query)| query);
    if query.split('&').any(|pair| pair.starts_with("secret=")) {
        places.push(Place::Query("secret"));
    }
    if request.target.contains("/t/") {
        places.push(Place::Token);
    }
    places.extend((0..request.headers.len()).filter(|&index| is_proof(&request.headers[index])).map(Place::Header));
    assert!(!places.is_empty() || scheme(case).name == "ip", "{} is verified without a proof", case.name);
    places
}

fn is_proof((name, value): &(String, String)) -> bool {
    let name = name.to_ascii_lowercase();
    // The header for a shared key is part of the proof only if it names a key.
    let is_named = |part: &str| part.trim().strip_prefix("key=").is_some_and(|key| !key.is_empty());
    let names_a_key = name.ends_with("-signature-settings") && value.split(',').any(is_named);
    let starts = ["svix-", "webhook-"].iter().any(|start| name.starts_with(start));
    names_a_key || name.ends_with("-signature") || name == "authorization" || starts
}

impl Place {
    /// The request without it.
    pub(crate) fn dropped(&self, request: &TestRequest) -> TestRequest {
        self.edited(request, |_| Vec::new())
    }

    /// The request with it twice.
    pub(crate) fn doubled(&self, request: &TestRequest) -> TestRequest {
        self.edited(request, |value| vec![value.to_owned(); 2])
    }

    /// The request with another value in its place.
    pub(crate) fn replaced(&self, request: &TestRequest, other: &str) -> TestRequest {
        self.edited(request, |_| vec![other.to_owned()])
    }

    pub(crate) fn value(&self, request: &TestRequest) -> String {
        let mut seen = String::new();
        self.edited(request, |value| {
            value.clone_into(&mut seen);
            vec![value.to_owned()]
        });
        seen
    }

    fn edited(&self, request: &TestRequest, mut edit: impl FnMut(&str) -> Vec<String>) -> TestRequest {
        let mut edited = request.clone();
        let mut in_form = |form: &str, name: &str| {
            let pairs = form.split('&').flat_map(|pair| match pair.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
                Some(value) => edit(value).into_iter().map(|value| format!("{name}={value}")).collect(),
                None => vec![pair.to_owned()],
            });
            pairs.collect::<Vec<_>>().join("&")
        };
        match self {
            Self::Header(index) => {
                let (name, value) = edited.headers.remove(*index);
                let values: Vec<(String, String)> = edit(&value).into_iter().map(|value| (name.clone(), value)).collect();
                edited.headers.splice(index..index, values);
            }
            Self::Query(name) => {
                let (path, query) = request.target.split_once('?').expect("a query");
                edited.target = format!("{path}?{}", in_form(query, name));
            }
            Self::Form(name) => edited.body = in_form(std::str::from_utf8(&request.body).expect("UTF-8"), name).into_bytes(),
            Self::Member(name) => {
                let body = std::str::from_utf8(&request.body).expect("UTF-8");
                let open = format!(",\"{name}\":\"");
                let start = body.rfind(&open).expect("the member");
                let end = start + open.len() + body[start + open.len()..].find('"').expect("its end");
                let members: Vec<String> =
                    edit(&body[start + open.len()..end]).iter().map(|value| format!("{open}{value}\"")).collect();
                edited.body = format!("{}{}{}", &body[..start], members.concat(), &body[end + 1..]).into_bytes();
            }
            Self::Token => {
                let (path, query) =
                    request.target.split_once('?').map_or((request.target.as_str(), None), |(path, query)| (path, Some(query)));
                let (path, token) = path.rsplit_once("/t/").expect("a token");
                let tokens: Vec<String> = edit(token).iter().map(|token| format!("/t/{token}")).collect();
                edited.target =
                    format!("{path}{}{}", tokens.concat(), query.map_or_else(String::new, |query| format!("?{query}")));
            }
        }
        edited
    }
}
