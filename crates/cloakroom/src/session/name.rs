//! Names of session data, with or without the type of their value.

use std::fmt;
use std::marker::PhantomData;

/// A name of session data that knows the type of its value.
///
/// ```
/// use cloakroom::Key;
///
/// const CART: Key<Vec<String>> = Key::new("cart");
/// ```
pub struct Key<T: ?Sized> {
    name: &'static str,
    value: PhantomData<fn(&T)>,
}

impl<T: ?Sized> Key<T> {
    /// The key called `name`: 1 to 256 bytes without control characters, checked when it is written.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            value: PhantomData,
        }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<T: ?Sized> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Key<T> {}

impl<T: ?Sized> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.name)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for str {}
    impl Sealed for String {}
    impl<T: ?Sized> Sealed for super::Key<T> {}
    impl<N: Sealed + ?Sized> Sealed for &N {}
}

/// What may stand where a name is asked for: `&str`, `String`, or a [`Key`].
pub trait AnyName: sealed::Sealed {
    /// The name as text.
    fn as_name(&self) -> &str;
}

/// A name for values of type `T`: text names any, a [`Key`] only its own.
pub trait Name<T: ?Sized>: AnyName {}

impl AnyName for str {
    fn as_name(&self) -> &str {
        self
    }
}

impl AnyName for String {
    fn as_name(&self) -> &str {
        self
    }
}

impl<T: ?Sized> AnyName for Key<T> {
    fn as_name(&self) -> &str {
        self.name
    }
}

impl<N: AnyName + ?Sized> AnyName for &N {
    fn as_name(&self) -> &str {
        (**self).as_name()
    }
}

impl<T: ?Sized> Name<T> for str {}
impl<T: ?Sized> Name<T> for String {}
impl<T: ?Sized> Name<T> for Key<T> {}
impl<T: ?Sized, N: Name<T> + ?Sized> Name<T> for &N {}
