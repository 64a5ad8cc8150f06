//! Routes by method, and a macro that registers and lists them. Where GET is, HEAD is too: its response is the same without the body.

use actix_web::{Route, guard, web};

/// A route of GET and HEAD.
pub(in crate::http) fn get() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

pub(in crate::http) use actix_web::web::post;

/// The `Allow` header of a path with these methods.
pub(in crate::http) fn allowed(methods: &[&str]) -> String {
    let mut allowed: Vec<String> = methods.iter().map(|method| method.to_uppercase()).collect();
    if let Some(at) = allowed.iter().position(|method| method == "GET") {
        allowed.insert(at + 1, "HEAD".to_owned());
    }
    allowed.join(", ")
}

/// Defines a function that registers routes below a path, and a constant that lists their methods and full paths. Other methods of these
/// paths are answered with 405.
macro_rules! routes {
    (
        $(#[$doc:meta])*
        $prefix:literal $configure:ident $ROUTES:ident;
        $($path:literal: $($method:ident $handler:path),+;)+
    ) => {
        $(#[$doc])*
        pub(in crate::http) fn $configure(config: &mut actix_web::web::ServiceConfig) {
            $(
                let allowed = $crate::http::routes::allowed(&[$(stringify!($method)),+]);
                let not_allowed = move |request: actix_web::HttpRequest| {
                    let response = $crate::http::api_error::method_not_allowed(&request, &allowed);
                    std::future::ready(response)
                };
                config.service(
                    actix_web::web::resource($path)
                        $(.route($crate::http::routes::$method().to($handler)))+
                        .default_service(actix_web::web::to(not_allowed)),
                );
            )+
        }

        pub(in crate::http) const $ROUTES: &[(&str, &str)] = &[$($((stringify!($method), concat!($prefix, $path))),+),+];
    };
}
pub(super) use routes;
