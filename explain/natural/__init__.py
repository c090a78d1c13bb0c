"""SISE's metrics on natural images, as in the paper's Tables 1 and 4: PASCAL VOC 2007 and MS COCO 2014."""
