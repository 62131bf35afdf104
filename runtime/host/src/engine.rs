//! The wasmtime engine: what code may use of this machine, and the clock that stops it.

use std::time::Duration;

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, ResourceLimiter, WasmFeatures,
};

use crate::LoadError;

/// How many instances can be alive at once; more calls wait for a place.
pub const MAX_INSTANCES: u32 = 256;
/// The linear memory that one call may have, over all of its memories.
pub const MAX_MEMORY: usize = 16 << 20;
/// The entries that one call may have in tables, over all of them.
pub const MAX_TABLE: usize = 10_000;
/// The bytes that a connector can hand over in one call of the host.
pub const MAX_HOSTCALL: usize = 1 << 20;
/// The handles that one call may hold.
pub const MAX_HANDLES: usize = 256;
/// The stack of a connector.
const WASM_STACK: usize = 512 << 10;
/// The stack of the host's own functions below it comes on top.
const ASYNC_STACK: usize = 2 << 20;
/// The core instances, memories and tables of one component: one module of its own, and the small ones that
/// glue it to its imports.
const MAX_PARTS: u32 = 8;
/// What stays resident of a slot that is used again. Guests linked with a small memory fit into it.
const KEEP_RESIDENT: usize = 64 << 10;

/// The epoch goes on this often. A running guest yields at each tick.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Makes the engine and starts its clock, which stops when the engine is gone.
///
/// # Errors
/// [`LoadError::Engine`] where this machine cannot run it, for want of address space for instance.
pub(crate) fn start() -> Result<Engine, LoadError> {
    let engine = Engine::new(&config()).map_err(|error| LoadError::Engine { why: error.to_string() })?;
    let weak = engine.weak();
    std::thread::Builder::new()
        .name("host-epoch".into())
        .spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        })
        .map_err(|error| LoadError::Engine { why: error.to_string() })?;
    Ok(engine)
}

fn config() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(MAX_INSTANCES)
        .total_core_instances(MAX_INSTANCES * MAX_PARTS)
        .total_memories(MAX_INSTANCES)
        .total_tables(MAX_INSTANCES * MAX_PARTS)
        .total_stacks(MAX_INSTANCES)
        .max_core_instances_per_component(MAX_PARTS)
        .max_memories_per_component(1)
        .max_tables_per_component(MAX_PARTS)
        .max_memory_size(MAX_MEMORY)
        .table_elements(MAX_TABLE)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        .async_stack_keep_resident(KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto);

    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(ASYNC_STACK)
        .async_stack_zeroing(true)
        .concurrency_support(false)
        .gc_support(false);
    // A connector needs none of these, and each has had its own bugs.
    for feature in [
        WasmFeatures::GC,
        WasmFeatures::EXCEPTIONS,
        WasmFeatures::LEGACY_EXCEPTIONS,
        WasmFeatures::FUNCTION_REFERENCES,
        WasmFeatures::THREADS,
        WasmFeatures::SHARED_EVERYTHING_THREADS,
        WasmFeatures::MEMORY64,
        WasmFeatures::MULTI_MEMORY,
        WasmFeatures::TAIL_CALL,
        WasmFeatures::RELAXED_SIMD,
        WasmFeatures::WIDE_ARITHMETIC,
        WasmFeatures::STACK_SWITCHING,
        WasmFeatures::CUSTOM_PAGE_SIZES,
        WasmFeatures::CM_ASYNC,
    ] {
        config.wasm_features(feature, false);
    }
    config
}

/// Counts what one call holds, over all of its memories and tables.
#[derive(Default)]
pub(crate) struct Limits {
    memory: usize,
    table: usize,
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(grow(&mut self.memory, current, desired, MAX_MEMORY))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(grow(&mut self.table, current, desired, MAX_TABLE))
    }

    fn instances(&self) -> usize {
        MAX_PARTS as usize
    }

    fn tables(&self) -> usize {
        MAX_PARTS as usize
    }

    fn memories(&self) -> usize {
        1
    }
}

fn grow(held: &mut usize, current: usize, desired: usize, most: usize) -> bool {
    let wanted = held.saturating_add(desired.saturating_sub(current));
    if wanted <= most {
        *held = wanted;
    }
    wanted <= most
}
