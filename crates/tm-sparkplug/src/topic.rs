//! The topics of one edge node, spelled in one place.
//!
//! ```text
//! spBv1.0/<group>/<verb>/<node>            NBIRTH NDATA NDEATH NCMD
//! spBv1.0/<group>/<verb>/<node>/<device>   DBIRTH DDATA DDEATH
//! spBv1.0/STATE/<host>
//! ```

use std::sync::Arc;

use crate::Id;

/// The first level of every topic of Sparkplug B.
const NAMESPACE: &str = "spBv1.0";

/// Topics of the node itself.
#[derive(Clone, Debug)]
pub(crate) struct NodeTopics {
    pub(crate) birth: Arc<str>,
    pub(crate) data: Arc<str>,
    pub(crate) death: Arc<str>,
    pub(crate) command: Arc<str>,
}

impl NodeTopics {
    pub(crate) fn new(group: &Id, node: &Id) -> Self {
        let topic = |verb: &str| format!("{NAMESPACE}/{group}/{verb}/{node}").into();
        Self {
            birth: topic("NBIRTH"),
            data: topic("NDATA"),
            death: topic("NDEATH"),
            command: topic("NCMD"),
        }
    }
}

/// Topics of one device.
#[derive(Clone, Debug)]
pub(crate) struct DeviceTopics {
    pub(crate) birth: Arc<str>,
    pub(crate) data: Arc<str>,
    pub(crate) death: Arc<str>,
}

impl DeviceTopics {
    /// A source's name has no character that means something in a topic.
    pub(crate) fn new(group: &Id, node: &Id, device: &tm_types::Source) -> Self {
        let topic = |verb: &str| format!("{NAMESPACE}/{group}/{verb}/{node}/{device}").into();
        Self {
            birth: topic("DBIRTH"),
            data: topic("DDATA"),
            death: topic("DDEATH"),
        }
    }
}

/// Where a host says whether it is there.
pub(crate) fn state(host: &Id) -> Arc<str> {
    format!("{NAMESPACE}/STATE/{host}").into()
}
