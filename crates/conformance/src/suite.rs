//! The list of cases, and the macro that makes tests of them.

use crate::fixture::Fixture;
use crate::run::Case;

/// One test for every case of the suite, on fixtures of the named type. Use it in a module of its own.
#[macro_export]
macro_rules! suite {
    ($fixture:ty) => {
        $crate::__each_case! { [$crate::__tests] [$fixture] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __each_case {
    ([$($then:tt)*] [$($with:tt)*]) => {
        $($then)*! { [$($with)*]
            create {
                s_01_create_then_load_is_equal
                s_02_create_of_a_present_id_changes_nothing
                s_03_load_of_an_absent_id_is_none
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ([$fixture:ty] $( $module:ident { $($name:ident)* } )*) => { $($(
        #[test]
        fn $name() {
            $crate::check($crate::__case!($fixture, $module, $name));
        }
    )*)* };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __table {
    ([$fixture:ty] $( $module:ident { $($name:ident)* } )*) => {
        vec![ $($( $crate::__case!($fixture, $module, $name) ),*),* ]
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __case {
    ($fixture:ty, $module:ident, $name:ident) => {
        $crate::Case::new(stringify!($name), || {
            $crate::__on_fixture($crate::cases::$module::$name::<$fixture>)
        })
    };
}

pub(crate) fn table<F: Fixture>() -> Vec<Case> {
    crate::__each_case! { [crate::__table] [F] }
}
