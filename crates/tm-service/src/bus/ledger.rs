//! The operations between memory, store and bus: stored first, published afterwards.

use tm_types::{Operation, topic};

use super::outbox::json;
use super::task::Task;

/// The store's file of operations.
const BOOK: &str = "operations";

impl Task {
    /// Loads the operations once per process; whatever was open at the end of the last bus is over.
    pub(super) async fn open_book(&mut self) {
        let is_loaded = std::mem::replace(&mut self.shared.lock().book_is_loaded, true);
        let store = self.shared.options.store.clone();
        let image = if is_loaded {
            None
        } else {
            let load = move || store.load_bytes(BOOK);
            tokio::task::spawn_blocking(load).await.ok().flatten()
        };
        let now = self.shared.options.clock.stamp();
        let mut state = self.shared.lock();
        if let Some(image) = image
            && let Ok(book) = serde_json::from_slice(&image)
        {
            state.book = book;
        }
        state.book.recover(&now);
        state.book.forget_old(&now);
        let all: Vec<Operation> = state.book.all().cloned().collect();
        for operation in all {
            let topic = topic::result(&operation.id);
            state.outbox.retain(topic, json(&operation));
        }
    }

    /// Stores what changed in the book, then publishes it: never the other way round.
    pub(super) async fn settle(&mut self) {
        loop {
            let (image, changed, cleared) = {
                let mut state = self.shared.lock();
                if !state.book.is_changed() {
                    return;
                }
                let (changed, cleared) = state.book.take_changes();
                (json(&state.book), changed, cleared)
            };
            let store = self.shared.options.store.clone();
            let stored =
                tokio::task::spawn_blocking(move || store.save_bytes_now(BOOK, image.to_vec()))
                    .await;
            let mut state = self.shared.lock();
            if let Ok(Err(error)) = stored {
                // Health has it from the store.
                tracing::warn!(%error, "operations cannot be stored");
            }
            for operation in changed {
                state
                    .outbox
                    .retain(topic::result(&operation.id), json(&operation));
            }
            for id in cleared {
                state.outbox.retain(topic::result(&id), bytes::Bytes::new());
            }
        }
    }
}
