"""What a backend, a journal, an item store or a learner must do, as test classes to inherit.

class TestMyBackend(BackendContract):
    @pytest.fixture
    def store(self, tmp_path):
        store = MyStore(tmp_path)
        yield store
        store.close()
"""

from __future__ import annotations
