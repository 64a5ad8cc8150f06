//! A value that a reload of the configuration replaces while others use it.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

/// A handle to the current value. Clones follow it; what was taken from a handle stays as it was.
pub struct Current<T>(Arc<RwLock<Arc<T>>>);

impl<T> Current<T> {
    pub fn new(value: T) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(value))))
    }

    /// The value as it is now.
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the value. What was taken before stays as it was.
    pub fn replace(&self, value: T) {
        let value = Arc::new(value);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

impl<T> Clone for Current<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Default> Default for Current<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for Current<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_follow_and_values_in_use_stay() {
        let first = Current::new(1);
        let (clone, in_use) = (first.clone(), first.get());
        first.replace(2);
        assert_eq!((*clone.get(), *in_use), (2, 1));
    }
}
