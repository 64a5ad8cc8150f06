//! A store that callbacks reach without a queue.

use std::{ops::Deref, sync::Arc};

use waybill::{
    queue::Intake,
    store::{Options, Store},
};

use super::database::Database;

pub struct Direct {
    pub store: Arc<Store>,
    pub intake: Intake,
}

impl Direct {
    pub fn open(database: &Database) -> Self {
        let options = Options { max_retries: 20, ..Options::default() };
        Store::open(&database.url().parse().expect("a database URL"), options).expect("a store").into()
    }
}

impl From<Store> for Direct {
    fn from(store: Store) -> Self {
        Arc::new(store).into()
    }
}

impl From<Arc<Store>> for Direct {
    fn from(store: Arc<Store>) -> Self {
        Self { intake: Intake::direct(&store), store }
    }
}

impl Deref for Direct {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}
