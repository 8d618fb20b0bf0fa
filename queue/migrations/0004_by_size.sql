-- The index by size costs each pending file two changes, and only orders by size use it: the first claim in such an order
-- makes it.
DROP INDEX file_pending_size;
