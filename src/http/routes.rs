//! A table of routes: registered, and told to whoever asks.

/// Makes a function that registers routes below a path, and the list of their methods and whole paths. A method that a path does
/// not take is told so.
macro_rules! routes {
    (
        $(#[$about:meta])*
        $prefix:literal $configure:ident $ROUTES:ident;
        $($path:literal: $($method:ident $handler:path),+;)+
    ) => {
        $(#[$about])*
        pub(in crate::http) fn $configure(config: &mut actix_web::web::ServiceConfig) {
            $(
                let allowed = [$(stringify!($method)),+].join(", ").to_uppercase();
                let not_allowed = move |request: actix_web::HttpRequest| {
                    let response = $crate::http::problem::method_not_allowed(&request, &allowed);
                    std::future::ready(response)
                };
                config.service(
                    actix_web::web::resource($path)
                        $(.route(actix_web::web::$method().to($handler)))+
                        .default_service(actix_web::web::to(not_allowed)),
                );
            )+
        }

        /// Their methods and paths.
        pub(in crate::http) const $ROUTES: &[(&str, &str)] = &[$($((stringify!($method), concat!($prefix, $path))),+),+];
    };
}
pub(super) use routes;
