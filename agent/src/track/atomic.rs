//! ON THE PROGRAM'S HOT PATH: the atomics that threads share. In this crate's own unit tests each of their operations is a place
//! where `model` may let another thread go on, or a signal strike; everywhere else, under Miri too, they are the standard library's.

#[cfg(any(not(test), miri))]
pub(super) use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize,
};

#[cfg(all(test, not(miri)))]
pub(super) use watched::{AtomicBool, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};

#[cfg(all(test, not(miri)))]
mod watched {
    use std::sync::atomic::{self, Ordering};

    use crate::track::model;

    /// An atomic whose operations the model sees. It lies in memory as the standard library's does.
    #[derive(Debug)]
    #[repr(transparent)]
    pub(in crate::track) struct Watched<A>(A);

    impl<A: Atomic> Watched<A> {
        fn place(&self) -> usize {
            std::ptr::from_ref(self).addr()
        }

        pub(in crate::track) fn load(&self, order: Ordering) -> A::Value {
            model::step();
            let value = self.0.get(order);
            model::has_read(self.place(), order);
            value
        }

        pub(in crate::track) fn store(&self, value: A::Value, order: Ordering) {
            model::step();
            self.0.put(value, order);
            model::has_written(self.place(), order);
        }

        pub(in crate::track) fn swap(&self, value: A::Value, order: Ordering) -> A::Value {
            model::step();
            let before = self.0.exchange(value, order);
            model::has_changed(self.place(), order);
            before
        }

        pub(in crate::track) fn compare_exchange(
            &self,
            old: A::Value,
            new: A::Value,
            order: Ordering,
            failed: Ordering,
        ) -> Result<A::Value, A::Value> {
            model::step();
            let result = self.0.exchange_if(old, new, order, failed);
            match result {
                Ok(_) => model::has_changed(self.place(), order),
                Err(_) => model::has_read(self.place(), failed),
            }
            result
        }

        pub(in crate::track) fn fetch_update(
            &self,
            order: Ordering,
            failed: Ordering,
            mut change: impl FnMut(A::Value) -> Option<A::Value>,
        ) -> Result<A::Value, A::Value> {
            let mut value = self.load(failed);
            while let Some(new) = change(value) {
                match self.compare_exchange(value, new, order, failed) {
                    Ok(before) => return Ok(before),
                    Err(now) => value = now,
                }
            }
            Err(value)
        }
    }

    impl<A: Number> Watched<A> {
        pub(in crate::track) fn fetch_add(&self, more: A::Value, order: Ordering) -> A::Value {
            model::step();
            let before = self.0.add(more, order);
            model::has_changed(self.place(), order);
            before
        }

        pub(in crate::track) fn fetch_or(&self, bits: A::Value, order: Ordering) -> A::Value {
            model::step();
            let before = self.0.or(bits, order);
            model::has_changed(self.place(), order);
            before
        }
    }

    /// What the standard library's atomics have in common.
    pub(in crate::track) trait Atomic {
        type Value: Copy;
        fn get(&self, order: Ordering) -> Self::Value;
        fn put(&self, value: Self::Value, order: Ordering);
        fn exchange(&self, value: Self::Value, order: Ordering) -> Self::Value;
        fn exchange_if(
            &self,
            old: Self::Value,
            new: Self::Value,
            order: Ordering,
            failed: Ordering,
        ) -> Result<Self::Value, Self::Value>;
    }

    /// And those of numbers.
    pub(in crate::track) trait Number: Atomic {
        fn add(&self, more: Self::Value, order: Ordering) -> Self::Value;
        fn or(&self, bits: Self::Value, order: Ordering) -> Self::Value;
    }

    macro_rules! watched {
        ($($name:ident $(<$of:ident>)?: $value:ty;)*) => { $(
            pub(in crate::track) type $name $(<$of>)? = Watched<atomic::$name $(<$of>)?>;

            impl $(<$of>)? Watched<atomic::$name $(<$of>)?> {
                pub(in crate::track) const fn new(value: $value) -> Self {
                    Watched(atomic::$name::new(value))
                }
            }

            impl $(<$of>)? Atomic for atomic::$name $(<$of>)? {
                type Value = $value;

                fn get(&self, order: Ordering) -> $value {
                    self.load(order)
                }

                fn put(&self, value: $value, order: Ordering) {
                    self.store(value, order);
                }

                fn exchange(&self, value: $value, order: Ordering) -> $value {
                    self.swap(value, order)
                }

                fn exchange_if(
                    &self,
                    old: $value,
                    new: $value,
                    order: Ordering,
                    failed: Ordering,
                ) -> Result<$value, $value> {
                    self.compare_exchange(old, new, order, failed)
                }
            }
        )* };
    }

    macro_rules! numbers {
        ($($name:ident: $value:ty;)*) => {
            watched! { $($name: $value;)* }
            $(
                impl Number for atomic::$name {
                    fn add(&self, more: $value, order: Ordering) -> $value {
                        self.fetch_add(more, order)
                    }

                    fn or(&self, bits: $value, order: Ordering) -> $value {
                        self.fetch_or(bits, order)
                    }
                }
            )*
        };
    }

    watched! {
        AtomicBool: bool;
        AtomicPtr<T>: *mut T;
    }
    numbers! {
        AtomicI64: i64;
        AtomicU32: u32;
        AtomicU64: u64;
        AtomicUsize: usize;
    }
}
