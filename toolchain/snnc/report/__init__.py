"""What a run folder or a sweep holds, as a page that a person opens and as Markdown. Behind `snnc report`."""
