//! A macro that registers routes and lists them.

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
                let allowed = [$(stringify!($method)),+].join(", ").to_uppercase();
                let not_allowed = move |request: actix_web::HttpRequest| {
                    let response = $crate::http::api_error::method_not_allowed(&request, &allowed);
                    std::future::ready(response)
                };
                config.service(
                    actix_web::web::resource($path)
                        $(.route(actix_web::web::$method().to($handler)))+
                        .default_service(actix_web::web::to(not_allowed)),
                );
            )+
        }

        pub(in crate::http) const $ROUTES: &[(&str, &str)] = &[$($((stringify!($method), concat!($prefix, $path))),+),+];
    };
}
pub(super) use routes;
