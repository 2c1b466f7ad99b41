//! `TM_API_*`.

use tm_service::config::Secret;

use crate::allow::AllowList;

tm_service::setting!(
    AllowList,
    "list",
    "addresses and networks such as 192.168.1.0/24, separated by commas"
);

tm_service::settings! {
    /// `TM_API_*`.
    pub struct Config {
        /// Address and port to listen on.
        pub listen: String = "0.0.0.0:80",
        /// Peers that are answered at all, as addresses and networks separated by commas. Everybody else gets not one byte. When malformed, only this machine is answered.
        pub allow_from: AllowList = "127.0.0.0/8,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16,fe80::/10,fc00::/7" => "127.0.0.0/8,::1",
        /// Token with every right (`Authorization: Bearer …`). Without this and TM_API_TOKEN_SEED nothing can be changed.
        pub token: Option<Secret> = None,
        /// Fleet secret from which each device derives its own tokens, one per scope (see `tm token`).
        pub token_seed: Option<Secret> = None,
        /// Whether reading needs a token too.
        pub reads_need_token: bool = false => true,
    }
}
